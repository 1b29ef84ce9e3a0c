"""`invariant`: shifting the input does not change the output."""

from __future__ import annotations

from typing import ClassVar

from archspec.rules.kind import UnjudgedKind
from archspec.spec import Rule
from archspec.spec.rule_fields import InputAxis, RuleFields, input_axis_field
from archspec.spec.rules import RuleNames


class InvariantFields(RuleFields):
    """Shifting the input changes nothing."""

    axis: InputAxis = input_axis_field("the axis that is shifted; left out: the axis that holds a dim")


class InvariantRule(UnjudgedKind):
    """Moving the input along the axis does not change the output. Nothing judges it yet."""

    word: ClassVar[str] = "invariant"
    fields: ClassVar[type[RuleFields]] = InvariantFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with the axis of its input. Raises SpecError E350 or E424."""
        fields = rule.fields
        assert isinstance(fields, InvariantFields)
        return names.of_input(rule, fields.axis)
