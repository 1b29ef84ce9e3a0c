"""`receptive_field`: an output position depends on a bounded number of adjoining input positions."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archspec.rules.kind import UnjudgedKind
from archspec.schema.sorts import ExprField
from archspec.spec import Rule
from archspec.spec.rule_fields import InputAxis, RuleFields, input_axis_field
from archspec.spec.rules import RuleNames


class ReceptiveFieldFields(RuleFields):
    """Output i depends on at most `at_most` adjacent input positions."""

    axis: InputAxis = input_axis_field("the axis that is measured; when left out, the axis whose size is a dim")
    at_most: ExprField = Field(description="largest number of input positions")


class ReceptiveFieldRule(UnjudgedKind):
    """One output position depends on at most `at_most` adjacent input positions. Nothing judges it yet."""

    word: ClassVar[str] = "receptive_field"
    fields: ClassVar[type[RuleFields]] = ReceptiveFieldFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with the axis of its input. Raises SpecError E350 or E424."""
        fields = rule.fields
        assert isinstance(fields, ReceptiveFieldFields)
        names.size(fields.at_most)
        return names.of_input(rule, fields.axis)
