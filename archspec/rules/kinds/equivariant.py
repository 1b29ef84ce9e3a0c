"""`equivariant`: moving the input moves the output."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from archspec.ir.motion import Motion, Moves
from archspec.rules.moves import moved_input, moved_output
from archspec.rules.symmetric import SymmetricKind
from archspec.schema.sorts import ExprField
from archspec.spec import Rule
from archspec.spec.rule_fields import AxisPair, OutputPositions, RuleFields, at_field, axis_field
from archspec.spec.rules import RuleNames


class EquivariantFields(RuleFields):
    """Moving the input moves the output."""

    axis: AxisPair = axis_field()
    stride: ExprField = Field(
        description="move of the input that moves the output by one position; 1/2 for two positions by one"
    )
    border: Literal["interior", "circular"] = Field(
        default="interior",
        description="`interior`: at output positions whose field is inside the input before and after; "
        "`circular`: at every position, under cyclic moves",
    )
    promised: OutputPositions = at_field()


class EquivariantRule(SymmetricKind):
    """Moving the input by `stride * k` along the axis moves the output by k, where both are whole.

    A map that grows has a stride below 1: with 1/2, the output moves by 2 where the input moves by 1. With `border:
    interior` this holds at every output position whose field, not clipped at the borders, is inside the input before
    and after; where no admitted size has such a position, as under attention to everything, the rule is refused. With
    `border: circular` it holds at every position, under cyclic moves. It is proved by composing how each op moves with
    its operands.
    """

    word: ClassVar[str] = "equivariant"
    fields: ClassVar[type[RuleFields]] = EquivariantFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with its axes. Raises SpecError E341, E350, E402 or E424."""
        fields = rule.fields
        assert isinstance(fields, EquivariantFields)
        compared = names.compared(rule, fields.axis)
        return names.promised(replace(compared, stride=names.ratio(fields.stride, "stride")), fields.promised)

    def circular(self, rule: Rule) -> bool:
        """With `border: circular`."""
        fields = rule.fields
        assert isinstance(fields, EquivariantFields)
        return fields.border == "circular"

    def against(self, rule: Rule, motion: Motion) -> str | None:
        """Another axis, another step, positions beside those that move, or a part of a period."""
        out, _ = rule.axis
        if not isinstance(motion, Moves):
            return "gives a value that does not move"
        if motion.axis != out:
            return f"moves along axis {motion.axis}"
        if not motion.is_alone:
            return "has other positions on the axis beside those that move"
        if motion.step != moved_output(rule):
            return f"moves by {motion.step} where the input moves by {moved_input(rule)}"
        if self.circular(rule) and not motion.is_whole:
            return f"has {motion.size} positions, which are not {motion.move.length}/{rule.stride} for every size"
        return None
