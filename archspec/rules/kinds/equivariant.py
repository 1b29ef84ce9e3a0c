"""`equivariant`: shifting the input shifts the output."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archspec.rules.kind import UnjudgedKind
from archspec.schema.sorts import ExprField
from archspec.spec import Rule
from archspec.spec.rule_fields import AxisPair, RuleFields, axis_field
from archspec.spec.rules import RuleNames


class EquivariantFields(RuleFields):
    """Shifting the input shifts the output."""

    axis: AxisPair = axis_field()
    stride: ExprField = Field(description="shift of the input that shifts the output by one position")


class EquivariantRule(UnjudgedKind):
    """Moving the input by `stride * k` along the axis moves the output by k. Nothing judges it yet."""

    word: ClassVar[str] = "equivariant"
    fields: ClassVar[type[RuleFields]] = EquivariantFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with its axes. Raises SpecError E350 or E424."""
        fields = rule.fields
        assert isinstance(fields, EquivariantFields)
        names.size(fields.stride)
        return names.compared(rule, fields.axis)
