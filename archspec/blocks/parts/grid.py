"""Rows and columns of positions: as a field gives them, or as the positions were made from an image."""

from collections.abc import Sequence

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.known_grid import check_grid
from archspec.diagnostics import Span, fail
from archspec.ir.graph import Value
from archspec.text.expr import Expr


def grid_of(
    cx: Context, given: Sequence[Expr] | None, x: Value, at: Span | None, write: str = "grid: [rows, columns]"
) -> tuple[Dim, Dim]:
    """The rows and columns of the positions of `x` [batch, positions, features].

    Args:
        cx: the context of the node.
        given: the rows and columns that a field gives; None if it is left out.
        x: the sequence.
        at: where the section is written that needs them.
        write: what to write where they are not known.

    Raises:
        SpecError: E345 for a grid of another number of positions or other sides, and where nothing tells it.
    """
    count = x.type.shape[1]
    if given is not None:
        rows, columns = (cx.size(expr) for expr in given)
        if compare(count, "==", rows * columns) is not True:
            found = f"the grid has {rows} by {columns} positions, but there are `{count}`"
            help = "tokens in front of the patches have no position in the grid"
            fail("E345", found, given[0].span.to(given[1].span), help=help)
        check_grid(cx, x, rows, columns, given[0].span.to(given[1].span))
        return rows, columns
    # Positions that were flattened from a map keep its sides as the factors of their axis.
    known = x.type.axes[1].factors
    if len(known) != 2:
        fail("E345", f"the `{count}` positions are not known to be rows and columns", at, help=f"write `{write}`")
    return known[0], known[1]
