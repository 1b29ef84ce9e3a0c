"""The interface of a kind of rule; each file of `rules/kinds` declares one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from archspec.ir.graph import Value
from archspec.registry import RULE_KINDS
from archspec.relation.atoms import Relation
from archspec.rules.evidence import Evidence
from archspec.rules.measure import Measured, Probe, pair_probes, promised
from archspec.rules.promises import Facts
from archspec.rules.prove import within
from archspec.rules.shortfall import fallen_short, uncovered_or_wired
from archspec.rules.target import RuleTarget, promised_clauses, restricted, with_exempt
from archspec.rules.terms import Terms
from archspec.rules.verdict import Verdict
from archspec.spec import Rule
from archspec.spec.rules import RuleWord

if TYPE_CHECKING:
    from archspec.rules.measure import Array


def rule_kinds() -> Mapping[str, Kind]:
    """Every kind of rule by its word; reading the words loads none of them."""
    return RULE_KINDS.declared(Kind)  # type: ignore[type-abstract]


class Kind(RuleWord):
    """A kind of rule: its fields and their meaning, the verdict on it, and how a running model is tested for it.

    The docstring is its reference page. `orders` says that it states how far a position sees, `hides` that it can state
    what a mask hides: where no rule does either, `check` warns.
    """

    orders: ClassVar[bool] = False
    hides: ClassVar[bool] = False

    @abstractmethod
    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """The verdict on a rule of this kind. Raises Inexpressible or TooManyPositions where none can be reached."""


class UpperKind(Kind):
    """A kind that limits dependence to some pairs: proved, violated by a witness, or unknown."""

    @abstractmethod
    def target(self, rule: Rule, terms: Terms) -> RuleTarget:
        """The pairs that the rule is about. Raises Inexpressible."""

    @abstractmethod
    def probes(self, rule: Rule, inputs: Measured) -> Iterator[Probe]:
        """Changes of these inputs, each with the outputs that must then stay the same. Raises UnmeasurableError."""

    def kept(self, rule: Rule, inputs: Measured) -> Array:
        """The output positions that the rule is about: bool over the first axes of the output."""
        return promised(rule, inputs)

    def remedy(self, rule: Rule) -> str | None:
        """What to write at an attention that violates the rule, as help text; None for no advice."""
        return None

    def promise(self, rule: Rule) -> str:
        """The output positions that it is about, where these are not all: `at output positions where valid`."""
        at = getattr(rule.fields, "promised", None)
        return "" if at is None else f"at output positions where {at}"


class WithinKind(UpperKind):
    """An upper rule that is given by the allowed pairs."""

    @abstractmethod
    def allowed(self, rule: Rule, terms: Terms) -> Relation:
        """The pairs that may be related. Raises Inexpressible."""

    @abstractmethod
    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """The allowed pairs on given inputs: bool [batch or 1, output positions, input positions]."""

    def target(self, rule: Rule, terms: Terms) -> RuleTarget:
        """The allowed pairs, and all pairs of output positions that the rule is not about."""
        return RuleTarget(pairs=with_exempt(rule, self.allowed(rule, terms), terms), forbidden=False)

    def probes(self, rule: Rule, inputs: Measured) -> Iterator[Probe]:
        """Change what an output position must not read, one position after another."""
        return pair_probes(rule, self.pairs(rule, inputs), inputs)

    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """Proved where the relation of the graph lies within the allowed pairs at all sizes."""
        # The rule's own pairs, not those of `target`: exempt output positions are removed from what is found instead.
        wanted = self.allowed(rule, evidence.terms)
        clauses = promised_clauses(rule, evidence.terms)

        def proved(value: Value) -> bool:
            out, inp = value.type.space, rule.input.type.space
            found = evidence.dependence.relation(value, rule.input)
            if rule.at is not None:
                # Only output positions where `at` holds count: guards are added to what is found, which narrows it to
                # them.
                atoms = restricted(found, clauses).atoms
                found = Relation(tuple(a for a in atoms if not Facts(a, out, inp, evidence.promises).impossible))
            return within(found, wanted, out, inp, evidence.promises)

        if proved(rule.output):
            parts = ("at all sizes", self.promise(rule), self._nothing_read(rule, evidence))
            return Verdict(rule=rule, status="proved", explanation=", ".join(part for part in parts if part))
        target = self.target(rule, evidence.terms)
        return fallen_short(rule, evidence, evidence.dependence, target, proved, self.remedy(rule))

    @staticmethod
    def _nothing_read(rule: Rule, evidence: Evidence) -> str:
        """A remark where the rule holds only because the output never reads the input, which may not be intended."""
        if evidence.dependence.relation(rule.output, rule.input).atoms:
            return ""
        return f"`{rule.fields.output}` does not depend on `{rule.fields.input}`"


class LowerKind(Kind):
    """A kind that demands dependence on all of some pairs: wired at small sizes, or violated.

    It is not proved for all sizes: the relations of the graph are upper bounds and say nothing about what is read.
    """

    @abstractmethod
    def wanted(self, rule: Rule, terms: Terms) -> Relation:
        """The pairs that must be related. Raises Inexpressible."""

    @abstractmethod
    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """The same pairs on given inputs: bool [output positions, input positions], over the rule's axes."""

    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """Wired where every demanded pair is read at small sizes with open masks."""
        return uncovered_or_wired(rule, evidence, self.wanted(rule, evidence.terms))


class AffineKind(Kind):
    """A kind that says on which inputs the effect of a change of its input depends: measured by second differences."""


class RowsKind(Kind):
    """A kind that compares the rows of a padded batch with the same rows alone: measured by running both."""
