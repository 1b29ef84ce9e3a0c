"""`window`: no output position depends on input positions farther away than a number of steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from archspec.relation.atoms import Relation
from archspec.rules.kind import WithinKind
from archspec.rules.measure import Measured, between
from archspec.rules.target import window
from archspec.rules.terms import Terms
from archspec.schema.sorts import ExprField
from archspec.spec import Rule
from archspec.spec.rule_fields import AxisPair, OutputPositions, RuleFields, at_field, axis_field
from archspec.spec.rules import RuleNames

if TYPE_CHECKING:
    from archspec.rules.measure import Array


class WindowFields(RuleFields):
    """Output i depends only on inputs from i - back to i + ahead."""

    back: ExprField = Field(description="number of earlier positions that may matter")
    ahead: ExprField = Field(description="number of later positions that may matter")
    axis: AxisPair = axis_field()
    promised: OutputPositions = at_field()


class WindowRule(WithinKind):
    """Output position i depends only on input positions `i - back <= j <= i + ahead`, all layers together."""

    word: ClassVar[str] = "window"
    fields: ClassVar[type[RuleFields]] = WindowFields
    orders = True

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule over two axes of one size. Raises SpecError E402, E403 or E424."""
        fields = rule.fields
        assert isinstance(fields, WindowFields)
        compared = names.same_positions(names.compared(rule, fields.axis))
        back, ahead = names.size(fields.back, 0), names.size(fields.ahead, 0)
        return replace(names.promised(compared, fields.promised), back=back, ahead=ahead)

    def allowed(self, rule: Rule, terms: Terms) -> Relation:
        """Pairs whose distance lies between both ends."""
        return window(rule, rule.back, rule.ahead)

    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """Pairs whose distance lies between both ends."""
        return between(inputs, rule, rule.back, rule.ahead)
