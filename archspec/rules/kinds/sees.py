"""`sees`: every output position depends on every input position."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from archspec.masks.atoms.all import All
from archspec.relation.atoms import EVERYTHING, Relation
from archspec.rules.kind import LowerKind
from archspec.rules.measure import Measured, everything
from archspec.rules.terms import Terms
from archspec.spec import Rule
from archspec.spec.rule_fields import RuleFields
from archspec.spec.rules import RuleNames

if TYPE_CHECKING:
    from archspec.rules.measure import Array


class SeesFields(RuleFields):
    """Output i depends on every input j."""


class SeesRule(LowerKind):
    """Every output position depends on every input position: `covers` with the mask `all`."""

    word: ClassVar[str] = "sees"
    fields: ClassVar[type[RuleFields]] = SeesFields
    orders = True

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule over all axes that number positions."""
        return replace(names.everywhere(rule), mask=All())

    def wanted(self, rule: Rule, terms: Terms) -> Relation:
        """Every pair."""
        return EVERYTHING

    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """Every pair."""
        return everything(rule, inputs)
