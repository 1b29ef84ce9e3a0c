"""`causal`: no output position depends on later input positions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from archspec.algebra.dim import Dim
from archspec.masks.atoms.causal import Causal as CausalMask
from archspec.relation.atoms import Relation
from archspec.rules.kind import WithinKind
from archspec.rules.measure import Measured, between
from archspec.rules.target import masked
from archspec.rules.terms import Terms
from archspec.spec import Rule
from archspec.spec.rule_fields import AxisPair, OutputPositions, RuleFields, at_field, axis_field
from archspec.spec.rules import RuleNames

if TYPE_CHECKING:
    from archspec.rules.measure import Array


class CausalFields(RuleFields):
    """Output i depends only on inputs up to i."""

    axis: AxisPair = axis_field()
    promised: OutputPositions = at_field()


class CausalRule(WithinKind):
    """Output position i depends only on input positions j <= i: `within` with the mask `causal`."""

    word: ClassVar[str] = "causal"
    fields: ClassVar[type[RuleFields]] = CausalFields
    orders = True

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule over two axes of one size. Raises SpecError E402, E403 or E424."""
        fields = rule.fields
        assert isinstance(fields, CausalFields)
        compared = names.same_positions(names.compared(rule, fields.axis))
        return replace(names.promised(compared, fields.promised), mask=CausalMask())

    def allowed(self, rule: Rule, terms: Terms) -> Relation:
        """Pairs with j <= i; a merged axis is compared by its flat positions."""
        return masked(CausalMask(), (), rule.output, rule.input, rule.axis, terms)

    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """Pairs with j <= i."""
        return between(inputs, rule, None, Dim.of(0))

    def remedy(self, rule: Rule) -> str:
        """Advice to use a mask that forbids later positions."""
        return "use a mask there that implies `causal`"
