"""`index`: compute the number for a `*` in their name from the number in ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from fractions import Fraction

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import fail
from archspec.record import record
from archspec.text.expr import Expr, evaluate, parse_expr
from archspec.text.nodes import Node, TextNode

OURS = "i"
"""The name of our index in an expression."""


@record
class Numbering:
    """An expression over our number, called `i`, and constants: `2*i + 1`."""

    expr: Expr
    constants: Mapping[str, Scalar] = field(compare=False, repr=False)

    def at(self, number: int) -> int:
        """Return their number where ours is `number`.

        Raises SpecError E201 or E303 if the expression has no value, E511 if the value is not a whole number of at
        least 0.
        """
        value = evaluate(self.expr, {**self.constants, OURS: Scalar.of(number)}).constant()
        if not isinstance(value, Fraction) or value.denominator != 1 or value < 0:
            message = f"`{self.expr}` is {value} for i = {number}; expected a whole number of at least 0"
            fail("E511", message, self.expr.span, help="their index is computed from ours, `i`, and constants")
        return int(value)


def read_numbering(node: Node, constants: Mapping[str, Scalar]) -> Numbering:
    """Read the expression of a field `index`. Raises SpecError E204, or E120 to E126 if it does not parse."""
    if not isinstance(node, TextNode):
        fail("E204", "expected an expression over `i`, such as `2*i + 1`", node.span)
    return Numbering(expr=parse_expr(node), constants=constants)


def renumbered(indices: Sequence[int], numberings: Mapping[int, Numbering]) -> tuple[int, ...]:
    """Return their indices for ours; `numberings` is by the position of an index, others are unchanged."""
    return tuple(numberings[place].at(index) if place in numberings else index for place, index in enumerate(indices))
