"""POSITIONS: position information that is added to an embedding."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NoReturn

from pydantic import Field

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.numbers import fixed, positive, whole
from archspec.blocks.parts.values import ids, same_shape
from archspec.diagnostics import Diagnostic, Label, Span, fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import DType, axis
from archspec.ops.elementwise.binary import Binary
from archspec.ops.linear.embedding import Embedding
from archspec.ops.position.counted_positions import CountedPositions
from archspec.ops.position.grid_sincos import GridSincos
from archspec.ops.position.grid_sinusoidal import GridSinusoidal
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.position.resized_positions import ResizedPositions
from archspec.ops.position.sinusoidal import SinusoidalPositions
from archspec.record import record
from archspec.schema.findings import key_span, kind_of, misplaced, word
from archspec.schema.model import MAYBE, TWO, Model
from archspec.schema.sorts import BoolField, ExprField, SizeField, ValueField
from archspec.text.expr import Expr
from archspec.text.nodes import Node
from archspec.text.value import ValueExpr

_FIELDS = {
    "learned": ("length", "grid", "offset", "count", "ids", "resize"),
    "sinusoidal": ("base", "layout", "endpoint"),
    "grid_sincos": ("base",),
    "grid_sinusoidal": ("grid", "count", "base"),
}
# Pairs of fields that describe the same thing in two ways, or of which one would have no effect.
_EXCLUDE = (
    ("length", "grid"),
    ("offset", "ids"),
    ("grid", "ids"),
    ("ids", "count"),
    ("length", "resize"),
)
_EXCLUDE_LEARNED = ("grid", "count")
"""A table for patches has a row for each; counts in a grid are normalised, and need no table."""


class PositionsFields(Model):
    """Positions that are added to an embedding."""

    shorthand: ClassVar[str | None] = "kind"

    kind: Literal["learned", "sinusoidal", "grid_sincos", "grid_sinusoidal"] = Field(description="which positions")
    length: SizeField | None = Field(
        default=None, description="learned: number of positions; the largest admitted sequence must fit"
    )
    grid: Annotated[list[SizeField], TWO] | None = Field(
        default=None,
        description="learned, grid_sinusoidal: rows and columns of patches, without class tokens; those of the image "
        "when left out",
    )
    offset: ExprField | None = Field(
        default=None, description="learned: number of rows before that of the first position; 0 when left out"
    )
    count: Annotated[ValueField | None, MAYBE] = Field(
        default=None,
        description="learned, grid_sinusoidal: a bool value; only positions where it is true are counted",
    )
    ids: Annotated[ValueField | None, MAYBE] = Field(
        default=None, description="learned: the position of each element; its index when left out"
    )
    resize: Annotated[Literal["bilinear", "bicubic"] | None, MAYBE] = Field(
        default=None, description="learned: how the table is resized to the grid of another image"
    )
    base: ExprField | None = Field(default=None, description="longest wavelength over 2 pi; 10000 when left out")
    layout: Literal["interleaved", "halves"] = Field(
        default="interleaved", description="sinusoidal: sine and cosine side by side, or all sines first"
    )
    endpoint: BoolField = Field(default=False, description="sinusoidal: whether the lowest frequency is exactly 1/base")

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        kind = kind_of(data.get("kind"))
        yield from misplaced(node, data, kind, _FIELDS)
        for pair in (*_EXCLUDE, *((_EXCLUDE_LEARNED,) if kind == "learned" else ())):
            # A field written as `none` has no effect, so it conflicts with nothing.
            if all(key in data and word(data[key]) != "none" for key in pair):
                first, second = (key_span(node, key) for key in pair)
                yield Diagnostic(
                    code="E242",
                    message=f"`{pair[1]}` and `{pair[0]}` cannot be combined",
                    primary=Label(second),
                    secondary=(Label(first),),
                )


@record
class PatchGrid:
    """A grid of patches, rows by columns, with `tokens` tokens in front of it."""

    rows: Dim
    columns: Dim
    tokens: int


@record
class Positions:
    """Positions, ready to be added to a value [..., positions, features].

    `ids` is the value that `op` reads, None for the value itself, and `count` one more that it reads;
    `patches_alone` says that tokens in front of patches get no position.
    """

    op: Op
    ids: Value | None = None
    count: Value | None = None
    patches_alone: bool = False

    def add(self, b: Builder, x: Value) -> Value:
        """Add `x + positions`; a learned table is the parameter `positions` of the enclosing module."""
        rename = {"table": "positions"} if isinstance(self.op, Embedding) else {}
        counted = () if self.count is None else (self.count,)
        rows = b.add(self.op, x if self.ids is None else self.ids, *counted, rename=rename)
        return b.add(Binary(kind="add"), x, rows, result="x")


def plan_positions(
    cx: Context, fields: PositionsFields, shape: tuple[Dim, ...], width: int, grid: PatchGrid | None = None
) -> Positions:
    """Check positions for a sequence of `width` features; `shape` are its other axes, the positions last.

    `grid` is the grid of patches of an image, None for tokens. Raises SpecError E203 for a missing length, E241 for a
    field that does not apply, E342, E343 or E347 for a value that does not fit, E344 for a table that is too short,
    E345 for another grid, E348 for a number of features.
    """
    if fields.kind == "sinusoidal":
        return Positions(op=_sinusoidal(cx, fields, width))
    if fields.kind == "grid_sincos":
        return Positions(op=_grid_sincos(cx, fields, width, grid), patches_alone=True)
    if fields.kind == "grid_sinusoidal":
        return _grid_sinusoidal(cx, fields, shape, width, grid)
    if fields.grid is not None and grid is None:
        fail("E241", "`grid` applies only to patches", fields.grid[0].span, help="give `length`")
    # A given length comes first: a table may have more rows than one image has patches.
    if fields.length is not None:
        return _of_length(cx, fields, fields.length, shape, width)
    if fields.count is not None or grid is None:
        fail("E203", "missing field `length`", fields.at, help="give the number of positions")
    return Positions(op=_of_grid(cx, fields, grid))


def _sinusoidal(cx: Context, fields: PositionsFields, width: int) -> Op:
    """Check sinusoidal positions. Raises SpecError E348 for an odd number of features."""
    if width % 2:
        message = f"sinusoidal positions need an even number of features, not {width}"
        fail("E348", message, fields.at, help=f"choose {width - 1} or {width + 1} features, or learned positions")
    return SinusoidalPositions(base=_base(cx, fields), layout=fields.layout, endpoint=fields.endpoint)


def _grid_sincos(cx: Context, fields: PositionsFields, width: int, grid: PatchGrid | None) -> Op:
    """Check positions in a grid. Raises SpecError E241 without patches, E348 unless 4 divides the features."""
    if grid is None:
        fail("E241", "`grid_sincos` applies only to patches", fields.at)
    if width % 4:
        message = f"`grid_sincos` positions need a multiple of 4 features, not {width}"
        fail("E348", message, fields.at, help="choose a multiple of 4, or learned positions")
    return GridSincos(rows=grid.rows, columns=grid.columns, base=_base(cx, fields))


def _grid_sinusoidal(
    cx: Context, fields: PositionsFields, shape: tuple[Dim, ...], width: int, grid: PatchGrid | None
) -> Positions:
    """Check positions in a grid that count what is valid of it.

    Raises SpecError E203 without `count`, E241 without a grid, E345 for a grid with other sides, E348 unless 4 divides
    the features.
    """
    if fields.count is None:
        help = "name the bool value that is true at the positions to be counted"
        fail("E203", "missing field `count`", fields.at, help=help)
    if grid is None:
        fail("E241", "`grid_sinusoidal` applies only to patches and in `add_positions`", fields.at)
    if width % 4:
        message = f"`grid_sinusoidal` positions need a multiple of 4 features, not {width}"
        fail("E348", message, fields.at, help=f"choose {width - width % 4 or 4} or {width - width % 4 + 4} features")
    sides = (grid.rows, grid.columns)
    given = sides if fields.grid is None else tuple(cx.size(expr) for expr in fields.grid)
    if fields.grid is not None and any(compare(a, "==", b) is not True for a, b in zip(given, sides, strict=True)):
        message = f"the grid has {given[0]} by {given[1]} positions, but the image has {sides[0]} by {sides[1]} patches"
        fail("E345", message, fields.grid[0].span.to(fields.grid[1].span), help="leave out `grid`")
    valid = _counted(cx, fields.count, (shape[0], grid.rows * grid.columns))
    op = GridSinusoidal(rows=grid.rows, columns=grid.columns, base=_base(cx, fields))
    return Positions(op=op, count=valid, patches_alone=True)


def _counted(cx: Context, expr: ValueExpr, shape: tuple[Dim, ...]) -> Value:
    """The bool value whose true positions are counted. Raises SpecError E342, E347 for one that does not fit."""
    valid = cx.value(expr)
    if valid.type.dtype != DType.BOOL:
        fail("E342", f"`count` takes a bool value, got {valid.type}", expr.span)
    same_shape(valid, shape, expr.span, "`count`")
    return valid


def _base(cx: Context, fields: PositionsFields) -> float:
    """The base of the wavelengths; 10000 as in Vaswani et al. 2017 if it is not given."""
    return 10000.0 if fields.base is None else positive(cx, fields.base, "base")


def _of_length(cx: Context, fields: PositionsFields, length: Expr, shape: tuple[Dim, ...], width: int) -> Positions:
    """Positions from a table of a given length: by ids, by counting, or by index."""
    rows = fixed(cx, length, "length")
    if fields.ids is not None:
        value = ids(cx, fields.ids, "`ids`", rows, length.span, what="the table of positions")
        same_shape(value, shape, fields.ids.span, "`ids`")
        # Ids name rows directly, which is why `ids` and `offset` exclude each other.
        return Positions(op=Embedding(rows=Dim.of(rows), features=axis(width)), ids=value)
    positions = shape[-1]
    # Held to the largest admitted sequence: a shorter table would only fail at run time.
    if compare(positions, "<=", rows) is not True:
        fail(
            "E344",
            f"{rows} positions are too few for a sequence of `{positions}`",
            length.span,
            f"{rows} positions",
            secondary=_sizes(cx, positions),
            help=f"the largest sequence must fit: it has {positions.maximum()} positions",
        )
    offset = _offset(cx, fields)
    if fields.count is not None:
        valid = _counted(cx, fields.count, shape)
        counted = CountedPositions(rows=Dim.of(rows + offset), features=axis(width), offset=offset)
        return Positions(op=counted, ids=valid)
    return Positions(op=LearnedPositions(rows=Dim.of(rows + offset), offset=offset))


def _sizes(cx: Context, size: Dim) -> list[Label]:
    """Labels where the dims of a size are declared, with their largest values."""
    symbols = sorted(size.symbols(), key=lambda symbol: symbol.name)
    places = [(cx.declared(symbol.name), f"`{symbol.name}` reaches {symbol.max}") for symbol in symbols]
    return [Label(place, text) for place, text in places if place is not None]


def _offset(cx: Context, fields: PositionsFields) -> int:
    """The number of rows before that of the first position, such as 2 in the tables of RoBERTa and OPT."""
    return 0 if fields.offset is None else whole(cx, fields.offset, "offset")


def _of_grid(cx: Context, fields: PositionsFields, grid: PatchGrid) -> Op:
    """The op of a table for the patches of the image; one that resizes the table if its grid differs."""
    if fields.grid is not None and fields.resize is not None:
        given = (fixed(cx, fields.grid[0], "grid"), fixed(cx, fields.grid[1], "grid"))
        # A table of the grid of the image is read as it is: resizing it would round.
        if given != (grid.rows.constant, grid.columns.constant):
            return ResizedPositions(
                grid=given,
                rows=grid.rows,
                columns=grid.columns,
                mode=fields.resize,
                tokens=grid.tokens,
                offset=_offset(cx, fields),
            )
    return LearnedPositions(rows=Dim.of(_grid_rows(cx, fields, grid)), offset=_offset(cx, fields))


def _grid_rows(cx: Context, fields: PositionsFields, grid: PatchGrid) -> int:
    """The number of rows of the table: patches, tokens and offset.

    Raises SpecError E345 if a given grid differs from that of the image, or the grid is only known at run time.
    """
    rows, columns = grid.rows.constant, grid.columns.constant
    if fields.grid is not None:
        given = [fixed(cx, expr, "grid") for expr in fields.grid]
        if (rows, columns) != tuple(given):
            _other_grid(fields.grid[0].span.to(fields.grid[1].span), given, grid)
    if rows is None or columns is None:
        fail(
            "E345",
            f"the grid of patches, {grid.rows} by {grid.columns}, is only known at run time",
            fields.at,
            help="give `length`, the largest number of positions, or the `grid` of the table and `resize`",
        )
    return rows * columns + grid.tokens + _offset(cx, fields)


def _other_grid(span: Span, given: list[int], grid: PatchGrid) -> NoReturn:
    """Raise SpecError E345 for a table whose grid is not that of the image."""
    fail(
        "E345",
        f"the table has {given[0]} by {given[1]} patches, but the image has {grid.rows} by {grid.columns}",
        span,
        help="the grids must be equal, or the table must be resized: write `resize: bicubic`",
    )
