"""`receptive_field`: one output position depends on a bounded stretch of input positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, NoReturn

from pydantic import Field

from archspec.algebra.dim import Dim, compare
from archspec.analyses.field import ReceptiveField
from archspec.ir.graph import Value
from archspec.rules.evidence import Evidence
from archspec.rules.explain import node_text
from archspec.rules.kind import UpperKind
from archspec.rules.measure import Measured, Probe, stretch_probes
from archspec.rules.shortfall import too_wide
from archspec.rules.target import Inexpressible
from archspec.rules.terms import Terms
from archspec.rules.verdict import Verdict
from archspec.schema.sorts import ExprField
from archspec.spec import Rule
from archspec.spec.rule_fields import InputAxis, OutputPositions, RuleFields, at_field, input_axis_field
from archspec.spec.rules import RuleNames


class ReceptiveFieldFields(RuleFields):
    """Output i depends on at most `at_most` adjacent input positions."""

    axis: InputAxis = input_axis_field("the axis that is measured; when left out, the axis whose size is a dim")
    at_most: ExprField = Field(description="largest number of input positions, from the first to the last")
    promised: OutputPositions = at_field()


class ReceptiveFieldRule(UpperKind):
    """One output position depends on at most `at_most` adjacent input positions, as if the input had no borders.

    Proved where the field that the ops' reads compose to is no larger, or the input never has more positions; violated
    with one output position and two input positions farther apart on which it depends.
    """

    word: ClassVar[str] = "receptive_field"
    fields: ClassVar[type[RuleFields]] = ReceptiveFieldFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with the axis of its input. Raises SpecError E350, E402 or E424."""
        fields = rule.fields
        assert isinstance(fields, ReceptiveFieldFields)
        measured = names.of_input(rule, fields.axis)
        return names.promised(replace(measured, at_most=names.size(fields.at_most)), fields.promised)

    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """Proved where the field has no more positions, or the axis has not."""
        (axis,) = rule.axes[1]

        def field(value: Value) -> ReceptiveField | None:
            return evidence.fields.of(value, rule.input, axis)

        found = field(rule.output)
        if _fits(rule, found):
            parts = (_told(rule, found), self.promise(rule))
            return Verdict(rule=rule, status="proved", explanation=", ".join(part for part in parts if part))
        if compare(rule.input.type.shape[axis], "<=", rule.most) is True:
            told = f"`{rule.fields.input}` has no more than {rule.input.type.shape[axis].maximum()} positions"
            return Verdict(rule=rule, status="proved", explanation=told)
        assert found is not None
        return too_wide(rule, evidence, lambda value: _fits(rule, field(value)), found, _told(rule, found))

    def target(self, rule: Rule, terms: Terms) -> NoReturn:
        """No set of pairs is what the rule is about. Raises Inexpressible."""
        raise Inexpressible("a number of positions")

    def probes(self, rule: Rule, inputs: Measured) -> Iterator[Probe]:
        """Change what stands before a place, and what stands `at_most` behind it: no output position may see both."""
        return stretch_probes(rule, rule.most.value(inputs.sizes), inputs)


def _fits(rule: Rule, found: ReceptiveField | None) -> bool:
    """Whether a field is proved to have no more positions than the rule allows."""
    return found is None or (found.extent is not None and compare(found.extent, "<=", rule.most) is True)


def _told(rule: Rule, found: ReceptiveField | None) -> str:
    """A field in words."""
    if found is None:
        return f"`{rule.fields.output}` does not depend on `{rule.fields.input}`"
    if found.extent is None:
        return "" if found.lost is None else f"the field is global from {node_text(found.lost)} on"
    counted = "1 position" if found.extent == Dim.of(1) else f"{found.extent} positions"
    return f"the field is {'at most ' if found.why else ''}{counted}"
