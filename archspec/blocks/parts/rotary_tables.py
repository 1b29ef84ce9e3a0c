"""Rotary positions inside attention: the fields are checked, and give the tables that rotate queries and keys."""

from __future__ import annotations

from archspec.algebra.dim import compare
from archspec.blocks.parts.attention_positions import AttentionPositionsFields
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.known_grid import check_grid
from archspec.blocks.parts.numbers import fixed, positive
from archspec.blocks.parts.rotary_scalings import BY_LENGTH, plan_scaling
from archspec.blocks.parts.values import integers
from archspec.diagnostics import Span, fail
from archspec.ir.graph import Value
from archspec.ops.position.rotary_grid_table import RotaryGridTable
from archspec.ops.position.rotary_table import RotaryTable
from archspec.text.value import ValueExpr


def plan_rotary(
    cx: Context, fields: AttentionPositionsFields, head: int, x: Value, memory: Value | None
) -> tuple[RotaryTable, tuple[Value, ...]]:
    """The table of a sequence `x`, for heads of `head` features, and the ids that it reads.

    Raises SpecError E348 for an odd size, E340 for one above that of a head, and those of ids and scalings.
    """
    size = _size(cx, fields, head)
    if size % 2:
        message = f"rotary features come in pairs, but `size` is {size}"
        fail("E348", message, _place(fields), help="choose an even number")
    given = () if fields.ids is None else (_ids(cx, fields.ids, x, memory),)
    scaling = None
    if fields.scaling is not None:
        _check_length(fields, memory)
        scaling = plan_scaling(cx, fields.scaling, size, x.type.shape[1])
    return RotaryTable(size=size, base=_base(cx, fields), scaling=scaling, ids=bool(given)), given


def plan_rotary_grid(
    cx: Context, fields: AttentionPositionsFields, head: int, x: Value, memory: Value | None
) -> RotaryGridTable:
    """The table of a grid of patches, the last positions of `x`.

    Raises SpecError E241 in cross-attention, E348 unless 4 divides the size, E340 for one above that of a head, E345
    for a grid of more positions than there are, or with another number of tokens in front of it at other sizes.
    """
    assert fields.grid is not None and fields.coordinates is not None
    if memory is not None:
        fail("E241", "`rotary_grid` does not apply to attention to another sequence", fields.at)
    size = _size(cx, fields, head)
    if size % 4:
        message = f"rotary features of a grid come in fours, but `size` is {size}"
        fail("E348", message, _place(fields), help="a pair is turned by the row, and one by the column")
    rows, columns = (cx.size(expr) for expr in fields.grid)
    # The constant is None where the number of tokens in front would change with the size of the image.
    tokens = (x.type.shape[1] - rows * columns).constant
    if tokens is None or tokens < 0:
        found = f"the grid has {rows} by {columns} patches, but there are `{x.type.shape[1]}` positions"
        help = "positions are the tokens in front, whose number is fixed, and the patches of the grid"
        fail("E345", found, fields.grid[0].span.to(fields.grid[1].span), help=help)
    check_grid(cx, x, rows, columns, fields.grid[0].span.to(fields.grid[1].span))
    return RotaryGridTable(
        rows=rows,
        columns=columns,
        size=size,
        coordinates=fields.coordinates,
        frequencies=fields.frequencies,
        base=_base(cx, fields),
        tokens=tokens,
    )


def _size(cx: Context, fields: AttentionPositionsFields, head: int) -> int:
    """The number of features that rotate. Raises SpecError E340 for more than those of a head."""
    size = head if fields.size is None else fixed(cx, fields.size, "size")
    if size > head:
        fail("E340", f"`size: {size}` exceeds the {head} features of a head", _place(fields))
    return size


def _place(fields: AttentionPositionsFields) -> Span | None:
    """Where the number of features is written."""
    return fields.at if fields.size is None else fields.size.span


def _base(cx: Context, fields: AttentionPositionsFields) -> float:
    """The base of the wavelengths; 10000 as in Su et al. 2021 if it is not given."""
    return 10000.0 if fields.base is None else positive(cx, fields.base, "base")


def _check_length(fields: AttentionPositionsFields, memory: Value | None) -> None:
    """Refuse a scaling by the length where queries and keys, or ids and indices, differ in it: SpecError E241, E242."""
    assert fields.scaling is not None
    kind = fields.scaling.kind
    if kind not in BY_LENGTH:
        return
    if memory is not None:
        fail("E241", f"the scaling `{kind}` does not apply to `cross_attention`", fields.scaling.at)
    if fields.ids is not None:
        help = "ids may go beyond the number of positions, by which frequencies are scaled"
        fail("E242", f"`ids` and the scaling `{kind}` cannot be combined", fields.ids.span, help=help)


def _ids(cx: Context, expr: ValueExpr, x: Value, memory: Value | None) -> Value:
    """The position ids, checked to be integers over [batch, positions]. Raises SpecError E241, E342, E347."""
    if memory is not None:
        fail("E241", "`ids` does not apply to `cross_attention`", expr.span)
    value = integers(cx, expr, "`ids`")
    axes = x.type.shape[:2]
    # Ids without a batch axis are shared by all rows.
    found, wanted = value.type.shape, axes[-value.type.rank :]
    if value.type.rank > 2 or any(compare(a, "==", b) is not True for a, b in zip(found, wanted, strict=False)):
        fail("E347", f"`ids` is {value.type}, expected the axes [{', '.join(map(str, axes))}]", expr.span)
    return value
