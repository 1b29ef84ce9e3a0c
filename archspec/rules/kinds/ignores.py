"""`ignores`: the values at some input positions have no effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from archspec.ir.graph import Value
from archspec.rules.evidence import Evidence
from archspec.rules.fixed import Fixed
from archspec.rules.flow import Dependence
from archspec.rules.kind import UpperKind
from archspec.rules.measure import Measured, Probe, UnmeasurableError, depends, promised
from archspec.rules.prove import avoids
from archspec.rules.shortfall import fallen_short
from archspec.rules.target import Forbidden, Inexpressible, RuleTarget, disjunction, guards_of
from archspec.rules.terms import Terms
from archspec.rules.verdict import Verdict
from archspec.schema.sorts import PredField
from archspec.spec import Rule
from archspec.spec.rule_axes import spread
from archspec.spec.rule_fields import OutputPositions, RuleFields, at_field
from archspec.spec.rules import RuleNames
from archspec.text.pred import PredNot

if TYPE_CHECKING:
    from archspec.rules.measure import Array


class IgnoresFields(RuleFields):
    """Some input positions do not matter."""

    where: PredField = Field(description="input positions that must not matter")
    promised: OutputPositions = at_field("those where `where` is false")


class IgnoresRule(UpperKind):
    """No output position depends on input positions where `where` holds.

    It concerns output positions where `at` holds. Without `at` these are the positions where `where` is false, if the
    output has the axes of `where`, else all. It concerns changes of the input that leave the predicate true at the
    changed positions.
    """

    word: ClassVar[str] = "ignores"
    fields: ClassVar[type[RuleFields]] = IgnoresFields
    hides = True

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with its predicates. Raises SpecError E402."""
        fields = rule.fields
        assert isinstance(fields, IgnoresFields)
        where = names.over(fields.where, rule.input)
        return names.promised(replace(rule, where=where), fields.promised)

    def forbidden(self, rule: Rule, terms: Terms) -> Forbidden:
        """The pairs that must not be related. Raises Inexpressible."""
        assert rule.where is not None
        where = guards_of(rule.where, rule.input, "in", terms)
        if rule.at is not None:
            return Forbidden(where=where, at=guards_of(rule.at, rule.output, "out", terms))
        # Without positions of its own the output cannot be exempt anywhere: the rule is about all of it.
        if not self._carried(rule):
            return Forbidden(where=where, at=(frozenset(),))
        return Forbidden(where=where, at=guards_of(rule.where, rule.output, "out", terms, negated=True))

    def _provable(self, rule: Rule, terms: Terms) -> Forbidden:
        """The pairs to exclude in a proof; where the exempt output positions cannot be expressed, none are exempt."""
        assert rule.where is not None
        try:
            return self.forbidden(rule, terms)
        except Inexpressible:
            # Forbidding more than the rule does: a proof of this proves the rule.
            return Forbidden(where=guards_of(rule.where, rule.input, "in", terms), at=(frozenset(),))

    def target(self, rule: Rule, terms: Terms) -> RuleTarget:
        """The pairs that must not be related, for the search of a witness."""
        return RuleTarget(pairs=self.forbidden(rule, terms).relation(), forbidden=True)

    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """Proved where no related pair can be a forbidden one."""
        dependence = self.held_fixed(rule, evidence)
        clauses = self._provable(rule, evidence.terms)

        def proved(value: Value) -> bool:
            found = dependence.relation(value, rule.input)
            return avoids(found, clauses, value.type.space, rule.input.type.space, evidence.promises)

        if proved(rule.output):
            return Verdict(rule=rule, status="proved", explanation=f"at all sizes, {self.promise(rule)}")
        target = self.target(rule, evidence.terms)
        return fallen_short(rule, evidence, dependence, target, proved, self.remedy(rule))

    def held_fixed(self, rule: Rule, evidence: Evidence) -> Dependence:
        """The relations to use; where `where` reads the input itself, those under the assumption that it stays true."""
        assert rule.where is not None
        own, clauses = evidence.terms.of(rule.input), disjunction(rule.where, evidence.terms)
        if own is None or not any(literal.term.depends_on(own) for clause in clauses for literal in clause):
            return evidence.dependence
        # The rule compares runs in which the predicate holds at the changed positions before and after: reads that the
        # predicate's truth decides are the same in both.
        return evidence.holding(Fixed(own, clauses))

    def probes(self, rule: Rule, inputs: Measured) -> Iterator[Probe]:
        """Change every position where the predicate holds.

        Raises UnmeasurableError where the predicate reads the input itself: changing the input would change it.
        """
        assert rule.where is not None
        if depends(rule.where, rule.input):
            raise UnmeasurableError(f"`where` reads `{rule.fields.input}` itself")
        where = inputs.over(rule.where, rule.input).astype(bool)
        holds = self.kept(rule, inputs)
        if where.any() and holds.any():
            # One probe changes all hidden positions together: it detects a dependence on any of them.
            yield Probe(changes=where, holds=holds)

    def kept(self, rule: Rule, inputs: Measured) -> Array:
        """The output positions that the rule is about: bool over the first axes of the output."""
        assert rule.where is not None
        if rule.at is None and self._carried(rule):
            found: Array = ~inputs.over(rule.where, rule.output).astype(bool)
            return found
        return promised(rule, inputs)

    def promise(self, rule: Rule) -> str:
        """The output positions that the rule is about, as text."""
        fields = rule.fields
        assert isinstance(fields, IgnoresFields)
        if fields.promised is not None:
            return super().promise(rule)
        if rule.where is None or not self._carried(rule):
            return "at every output position"
        return f"at output positions where {self._opposite(fields)}"

    def remedy(self, rule: Rule) -> str:
        """Advice to use a mask that hides the positions."""
        fields = rule.fields
        assert isinstance(fields, IgnoresFields)
        return f"use a mask there that implies `key_valid({self._opposite(fields)})`"

    @staticmethod
    def _opposite(fields: IgnoresFields) -> str:
        """The negation of `where`, as the language writes it."""
        where = fields.where
        return str(where.operand) if isinstance(where, PredNot) else f"not ({where})"

    @staticmethod
    def _carried(rule: Rule) -> bool:
        """Whether the output has the axes of the predicate."""
        assert rule.where is not None
        return spread(rule.where.type.shape, rule.output.type.shape) is not None
