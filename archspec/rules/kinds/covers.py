"""`covers`: everything that a mask allows is depended on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from archspec.masks.atoms.all import All
from archspec.masks.field import MaskField
from archspec.relation.atoms import EVERYTHING, Relation
from archspec.rules.kind import LowerKind
from archspec.rules.mask_pairs import allowed_pairs
from archspec.rules.measure import Measured, everything
from archspec.rules.target import masked
from archspec.rules.terms import Terms
from archspec.spec import Rule
from archspec.spec.rule_fields import AxisPair, RuleFields, axis_field
from archspec.spec.rules import RuleNames
from archspec.text.mask import MaskCall

if TYPE_CHECKING:
    from archspec.rules.measure import Array


class CoversFields(RuleFields):
    """Output i depends on every input j that the mask allows."""

    mask: MaskField = Field(description="pairs of positions that must depend")
    axis: AxisPair = axis_field()


class CoversRule(LowerKind):
    """Output position i depends on every input position j that the mask allows.

    With the mask `all` it concerns all axes except leading ones and the features of a sequence. It is judged where
    every predicate of a mask is true, segments are equal and prefixes are full, unless its own mask names them.
    """

    word: ClassVar[str] = "covers"
    fields: ClassVar[type[RuleFields]] = CoversFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with its mask and axes. Raises SpecError E401 to E404 or E424."""
        fields = rule.fields
        assert isinstance(fields, CoversFields)
        if isinstance(fields.mask, MaskCall) and fields.mask.word == All.word and fields.axis is None:
            return replace(names.everywhere(rule), mask=All())
        return names.masked(names.compared(rule, fields.axis), fields.mask)

    def wanted(self, rule: Rule, terms: Terms) -> Relation:
        """The pairs of the mask. Raises Inexpressible."""
        assert rule.mask is not None
        if isinstance(rule.mask, All):
            return EVERYTHING
        return masked(rule.mask, rule.controls, rule.output, rule.input, rule.axis, terms)

    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """The pairs of the mask, in the first row of the batch."""
        if isinstance(rule.mask, All):
            return everything(rule, inputs)
        found: Array = allowed_pairs(rule, inputs)[0]
        return found
