"""`invariant`: moving the input does not change the output."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import ClassVar

from pydantic import Field

from archspec.ir.motion import Motion, Still
from archspec.rules.symmetric import SymmetricKind
from archspec.schema.sorts import ExprField
from archspec.spec import Rule
from archspec.spec.rule_fields import (
    InputAxis,
    OutputPositions,
    RuleFields,
    at_field,
    input_axis_field,
)
from archspec.spec.rules import RuleNames


class InvariantFields(RuleFields):
    """Moving the input changes nothing."""

    axis: InputAxis = input_axis_field("the axis that is moved; when left out, the axis whose size is a dim")
    stride: ExprField | None = Field(
        default=None, description="the input is moved by multiples of it; 1 when left out: by any number of positions"
    )
    promised: OutputPositions = at_field()


class InvariantRule(SymmetricKind):
    """Moving the input cyclically by `stride * k` along the axis does not change the output."""

    word: ClassVar[str] = "invariant"
    fields: ClassVar[type[RuleFields]] = InvariantFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with the axis of its input. Raises SpecError E341, E350, E402 or E424."""
        fields = rule.fields
        assert isinstance(fields, InvariantFields)
        stride = 1 if fields.stride is None else names.fixed(fields.stride, "stride")
        return names.promised(replace(names.of_input(rule, fields.axis), stride=Fraction(stride)), fields.promised)

    def circular(self, rule: Rule) -> bool:
        """Always."""
        return True

    def against(self, rule: Rule, motion: Motion) -> str | None:
        """A value that moves."""
        return None if isinstance(motion, Still) else "gives a value that moves with the input"
