"""`within`: no output position depends on more than a mask allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from archspec.masks.field import MaskField
from archspec.relation.atoms import Relation
from archspec.rules.kind import WithinKind
from archspec.rules.mask_pairs import allowed_pairs
from archspec.rules.measure import Measured
from archspec.rules.target import masked
from archspec.rules.terms import Terms
from archspec.spec import Rule
from archspec.spec.rule_fields import AxisPair, OutputPositions, RuleFields, at_field, axis_field
from archspec.spec.rules import RuleNames

if TYPE_CHECKING:
    from archspec.rules.measure import Array


class WithinFields(RuleFields):
    """Output i depends only on input j that the mask allows."""

    mask: MaskField = Field(description="pairs of positions that may depend")
    axis: AxisPair = axis_field()
    promised: OutputPositions = at_field()


class WithinRule(WithinKind):
    """Output position i depends only on input positions j that the mask allows."""

    word: ClassVar[str] = "within"
    fields: ClassVar[type[RuleFields]] = WithinFields
    orders = True
    hides = True

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with its mask. Raises SpecError E401 to E404 or E424."""
        fields = rule.fields
        assert isinstance(fields, WithinFields)
        found = names.masked(names.compared(rule, fields.axis), fields.mask)
        return names.promised(found, fields.promised)

    def allowed(self, rule: Rule, terms: Terms) -> Relation:
        """The pairs of the mask. Raises Inexpressible where a control depends on parameters or has other axes."""
        assert rule.mask is not None
        return masked(rule.mask, rule.controls, rule.output, rule.input, rule.axis, terms)

    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """The pairs of the mask."""
        return allowed_pairs(rule, inputs)
