"""Positions inside attention: checked once, built at the top of the stack if layers share them, used in each layer."""

from __future__ import annotations

from dataclasses import replace

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.attention_positions import AttentionPositionsFields
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.grid import grid_of
from archspec.blocks.parts.known_grid import check_grid
from archspec.blocks.parts.numbers import fixed
from archspec.blocks.parts.rotary_tables import plan_rotary, plan_rotary_grid
from archspec.blocks.parts.top import Top
from archspec.blocks.parts.values import floats
from archspec.blocks.parts.windows import Windows
from archspec.diagnostics import Span, fail
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ops.elementwise.binary import Binary
from archspec.ops.position.alibi import Alibi
from archspec.ops.position.relative_buckets import RelativeBuckets
from archspec.ops.position.relative_grid import RelativeGrid
from archspec.ops.position.rotary import Rotary
from archspec.ops.position.rotary_grid_table import RotaryGridTable
from archspec.ops.position.rotary_table import RotaryTable
from archspec.record import record
from archspec.text.value import ValueExpr


@record
class InnerPositions:
    """No positions inside attention, and the base of all kinds: every method leaves its values unchanged."""

    def prepared(self, top: Top, memory: Value | None) -> InnerPositions:
        """The same positions with what all layers share, built at the top; `memory` is the sequence of the keys."""
        return self

    def apart(self) -> InnerPositions:
        """The same positions of a single layer, which shares nothing with others."""
        return self

    def inputs(self, b: Builder, query: Value, key: Value) -> tuple[Value, Value]:
        """The values from which queries and keys are projected."""
        return query, key

    @property
    def table(self) -> Op | None:
        """The op of the learned table that all layers share; None if there is none."""
        return None

    def turned(self, b: Builder, q: Value, k: Value) -> tuple[Value, Value]:
        """Queries and keys [batch, heads, positions, size] as they enter the scores."""
        return q, k

    def scores(self, b: Builder, q: Value, k: Value) -> Value | None:
        """The value that is added to the scores; None for nothing."""
        return None


@record
class RotaryPositions(InnerPositions):
    """Rotary positions: queries and keys are rotated by tables, which all layers share."""

    op: RotaryTable | RotaryGridTable
    turn: Rotary
    ids: tuple[Value, ...] = ()
    tables: tuple[Value, Value] | None = None

    def prepared(self, top: Top, memory: Value | None) -> InnerPositions:
        """The same positions with the tables for the positions of the queries and of the keys."""
        query = top.add(self.op, top.x, *self.ids, result="rotary")
        # `ids` number the queries and are refused in cross-attention, so keys of a memory count by their index.
        key = query if memory is None else top.add(self.op, memory, result="memory_rotary")
        return replace(self, tables=(query, key))

    def turned(self, b: Builder, q: Value, k: Value) -> tuple[Value, Value]:
        """Queries and keys, both rotated. `prepared` must have been called before."""
        assert self.tables is not None
        return b.add(self.turn, q, self.tables[0], result="q"), b.add(self.turn, k, self.tables[1], result="k")


@record
class ScorePositions(InnerPositions):
    """Positions that `op` turns into a bias on the scores; `shared` says that all layers use the same one."""

    op: Op
    shared: bool
    made: Value | None = None

    @property
    def table(self) -> Op | None:
        """The op; None if each layer has its own or there is nothing to learn."""
        return self.op if self.shared and not isinstance(self.op, Alibi) else None

    def prepared(self, top: Top, memory: Value | None) -> InnerPositions:
        """The same positions with the bias built, if the layers share it."""
        if not self.shared:
            return self
        name = "attention" if memory is None else "cross_attention"
        keys = top.x if memory is None else memory
        rename = {"table": "positions"}
        return replace(self, made=top.add(self.op, top.x, keys, name=name, result="positions", rename=rename))

    def apart(self) -> InnerPositions:
        """The same positions, made in their layer."""
        return replace(self, shared=False)

    def scores(self, b: Builder, q: Value, k: Value) -> Value | None:
        """The shared bias, or one built in this layer."""
        return self.made or b.add(self.op, q, k, result="bias", rename={"table": "positions"})


@record
class AddedPositions(InnerPositions):
    """Positions added to the inputs of queries and keys, never to the input of values."""

    query: Value | None = None
    key: Value | None = None

    def inputs(self, b: Builder, query: Value, key: Value) -> tuple[Value, Value]:
        """The inputs of queries and keys with the positions added."""
        return (
            query if self.query is None else b.add(Binary(kind="add"), query, self.query),
            key if self.key is None else b.add(Binary(kind="add"), key, self.key),
        )


@record(kw_only=False)
class HeadSizes:
    """The number of query heads, and the number of features of a head."""

    heads: int
    head: int


def plan_inner_positions(
    cx: Context,
    fields: AttentionPositionsFields | None,
    sizes: HeadSizes,
    x: Value,
    memory: Value | None,
    windows: Windows | None = None,
) -> InnerPositions:
    """Check positions inside attention of `x`, to `memory` in cross-attention; no fields give positions without effect.

    With `windows` a relative grid is that of a window.

    Raises SpecError at the field that does not fit: E340, E348 for a number of features, E241, E347 for a value, E244
    for a number out of range, E345 for a grid of another size.
    """
    if fields is None:
        return InnerPositions()
    if fields.kind in ("rotary", "rotary_grid"):
        return _rotary(cx, fields, sizes.head, x, memory)
    if fields.kind == "alibi":
        # Learned slopes are parameters of a layer; fixed ones give all layers the same bias.
        learned = fields.slopes == "learned"
        return ScorePositions(op=Alibi(heads=sizes.heads, learned=learned), shared=not learned)
    if fields.kind == "relative_buckets":
        return ScorePositions(op=_buckets(cx, fields, sizes.heads), shared=bool(fields.share))
    if fields.kind == "relative_grid":
        return ScorePositions(op=_grid(cx, fields, sizes.heads, x, memory, windows), shared=bool(fields.share))
    query = _added(cx, fields.query, x, "query")
    key = _added(cx, fields.key, x if memory is None else memory, "key")
    return AddedPositions(query=query, key=key)


def _added(cx: Context, expr: ValueExpr | None, to: Value, field: str) -> Value | None:
    """The value of a field, checked to broadcast to `to`; None if not given. Raises SpecError E342, E347."""
    if expr is None:
        return None
    value = floats(cx, expr, f"`{field}`")
    # Broadcasting aligns the last axes, so a value with fewer axes is compared from the end.
    wanted = to.type.shape[-value.type.rank :]
    fits = (compare(a, "==", b) is True or a == 1 for a, b in zip(value.type.shape, wanted, strict=False))
    if value.type.rank > to.type.rank or not all(fits):
        fail("E347", f"`{field}` is {value.type} but is added to {to.type}", expr.span)
    return value


def _rotary(
    cx: Context, fields: AttentionPositionsFields, head: int, x: Value, memory: Value | None
) -> RotaryPositions:
    """Check rotary positions, of a sequence or in a grid."""
    assert fields.layout is not None
    turn = Rotary(layout=fields.layout)
    if fields.kind == "rotary_grid":
        return RotaryPositions(op=plan_rotary_grid(cx, fields, head, x, memory), turn=turn)
    op, ids = plan_rotary(cx, fields, head, x, memory)
    return RotaryPositions(op=op, turn=turn, ids=ids)


def _buckets(cx: Context, fields: AttentionPositionsFields, heads: int) -> RelativeBuckets:
    """Check the numbers of relative buckets. Raises SpecError E244."""
    assert fields.buckets is not None and fields.max_distance is not None
    buckets, far = fixed(cx, fields.buckets, "buckets"), fixed(cx, fields.max_distance, "max_distance")
    # Half of the buckets of each direction hold a single distance.
    step = 4 if fields.bidirectional else 2
    if buckets % step:
        fail(
            "E244",
            f"`buckets` is {buckets}, expected a multiple of {step}",
            fields.buckets.span,
            help=f"write a multiple of {step}",
        )
    # Larger distances are divided by the logarithm of this ratio (T5, arXiv 1910.10683), which must be above 0.
    if far <= buckets // step:
        help = f"distances up to {buckets // step} have a bucket each; choose a larger number"
        fail(
            "E244",
            f"`max_distance` is {far}, expected more than {buckets // step}",
            fields.max_distance.span,
            help=help,
        )
    return RelativeBuckets(heads=heads, buckets=buckets, max_distance=far, bidirectional=bool(fields.bidirectional))


def _grid(
    cx: Context, fields: AttentionPositionsFields, heads: int, x: Value, memory: Value | None, windows: Windows | None
) -> RelativeGrid:
    """Check that the grid has as many patches as there are positions, or as a window has. Raises SpecError E345."""
    rows, columns, place = _sides(cx, fields, x, windows)
    if windows is not None:
        if (rows, columns) != windows.size:
            sides = f"{windows.size[0]} by {windows.size[1]}"
            fail("E345", f"the grid has {rows} by {columns} patches, but a window has {sides}", place)
        whole = (windows.rows, windows.columns) if windows.uncut else None
        # What all layers share is made of the grid, before it is cut.
        inside = bool(fields.share) and not windows.uncut
        return RelativeGrid(heads=heads, rows=rows, columns=columns, whole=whole, inside=inside)
    for value in (x, memory or x):
        found = value.type.shape[1]
        if compare(found, "==", rows * columns) is not True:
            fail(
                "E345",
                f"the grid has {rows} by {columns} patches, but there are `{found}` positions",
                place,
                help="tokens in front of the patches have no position in the grid",
            )
        check_grid(cx, value, Dim.of(rows), Dim.of(columns), place)
    return RelativeGrid(heads=heads, rows=rows, columns=columns)


def _sides(
    cx: Context, fields: AttentionPositionsFields, x: Value, windows: Windows | None
) -> tuple[int, int, Span | None]:
    """Rows and columns of a relative grid, and where they are written: as given, of a window, or of the positions.

    Raises SpecError E345 where nothing tells them, E341 for sides that are only known at run time.
    """
    if fields.rows is not None and fields.columns is not None:
        place = fields.rows.span.to(fields.columns.span)
        return fixed(cx, fields.rows, "rows"), fixed(cx, fields.columns, "columns"), place
    if fields.rows is not None or fields.columns is not None:
        fail("E203", "give both `rows` and `columns`, or neither", fields.at)
    if windows is not None:
        return *windows.size, fields.at
    rows, columns = (side.constant for side in grid_of(cx, None, x, fields.at, "rows: ROWS, columns: COLUMNS"))
    if rows is None or columns is None:
        fail("E341", "a relative grid needs sides that are known before run time", fields.at)
    return rows, columns, fields.at
