"""Cases of the ops that move elements."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.ir.types import axis
from archspec.ops.shape.broadcast_axis import BroadcastAxis
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.roll import Roll
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.take import Take
from archspec.ops.shape.transpose import Transpose
from tests.ops.case import BATCH, HEIGHT, SRC, TGT, Case, bools, factored, floats, integers

HEADS = floats(BATCH, SRC, factored(2, 3))
GRID = floats(BATCH, factored(SRC, 2), 2)
WIDE = floats(BATCH, factored(2, SRC), 2)
DEEP = floats(BATCH, 2, SRC, 3)

CASES = [
    Case(op=Merge(axis=1), inputs=(DEEP,)),
    Case(op=Merge(axis=-2), inputs=(DEEP,)),
    Case(op=Merge(axis=0, count=4), inputs=(DEEP,)),
    Case(op=Merge(axis=1, count=3), inputs=(floats(BATCH, factored(2, 2), SRC, 2),)),
    Case(op=Merge(axis=0), inputs=(bools(SRC, BATCH),)),
    Case(op=Split(axis=2, sizes=(axis(2), axis(3))), inputs=(HEADS,)),
    Case(op=Split(axis=-1, sizes=(axis(3), axis(2))), inputs=(HEADS,)),
    Case(op=Split(axis=-1, sizes=(axis(2), axis(3))), inputs=(floats(BATCH, 6),)),
    Case(op=Split(axis=1, sizes=(axis(Dim.of(HEIGHT) // 2), axis(2))), inputs=(floats(3, HEIGHT),)),
    Case(op=Split(axis=1, sizes=(axis(SRC), axis(2))), inputs=(GRID,)),
    Case(op=Split(axis=1, sizes=(axis(2), axis(SRC))), inputs=(GRID,)),
    Case(op=Split(axis=0, sizes=(axis(1), axis(SRC), axis(1))), inputs=(floats(SRC, 2),)),
    Case(op=Split(axis=0, sizes=(axis(2), factored(SRC, 2))), inputs=(floats(factored(2, SRC, 2)),)),
    Case(op=Transpose(order=(0, 2, 1, 3)), inputs=(DEEP,)),
    Case(op=Transpose(order=(0, 2, 1)), inputs=(HEADS,)),
    Case(op=Transpose(order=(1, 2, 0)), inputs=(GRID,)),
    Case(op=Transpose(order=(0, 1)), inputs=(floats(BATCH, SRC),)),
    Case(op=Transpose(order=(1, 0)), inputs=(integers(BATCH, SRC),)),
    Case(op=Take(axis=1, index=0), inputs=(floats(BATCH, SRC, 3),)),
    Case(op=Take(axis=1, index=-1), inputs=(floats(BATCH, SRC, 3),)),
    Case(op=Take(axis=-1, index=2), inputs=(floats(BATCH, 3),)),
    Case(op=Take(axis=1, index=0), inputs=(GRID,)),
    Case(op=Take(axis=1, index=1), inputs=(GRID,)),
    Case(op=Take(axis=1, index=-1), inputs=(WIDE,)),
    Case(op=Take(axis=-2, index=-2), inputs=(floats(BATCH, factored(2, 3), 2),)),
    Case(op=Slice(axis=1, start=Dim.of(1)), inputs=(floats(BATCH, TGT, 2),)),
    Case(op=Slice(axis=1, start=Dim.of(0), stop=Dim.of(-1)), inputs=(floats(BATCH, TGT, 2),)),
    Case(op=Slice(axis=-1, start=Dim.of(-2)), inputs=(floats(BATCH, 3),)),
    Case(op=Slice(axis=0, start=Dim.of(SRC) - 1, stop=Dim.of(SRC)), inputs=(floats(SRC, 2),)),
    Case(op=Slice(axis=1, start=Dim.of(0)), inputs=(GRID,)),
    Case(op=Slice(axis=1, start=Dim.of(1)), inputs=(GRID,)),
    Case(op=Slice(axis=1, start=Dim.of(1)), inputs=(WIDE,)),
    Case(op=Slice(axis=0, start=Dim.of(1), stop=Dim.of(3)), inputs=(integers(5),)),
    Case(op=Concat(axis=1), inputs=(floats(BATCH, 1, 2), floats(BATCH, SRC, 2))),
    Case(op=Concat(axis=-1), inputs=(floats(BATCH, 2), floats(BATCH, 1), floats(BATCH, 3))),
    Case(op=Concat(axis=1), inputs=(floats(BATCH, 1, 2), GRID)),
    Case(op=Concat(axis=1), inputs=(WIDE, floats(BATCH, TGT, 2))),
    Case(op=Concat(axis=0), inputs=(floats(SRC, factored(2, 2)), floats(TGT, factored(2, 2)))),
    Case(op=Concat(axis=1), inputs=(GRID,)),
    Case(op=Concat(axis=1), inputs=(bools(BATCH, 1), bools(BATCH, SRC))),
    Case(op=Concat(axis=1), inputs=(integers(BATCH, 1, bound=9), integers(BATCH, SRC, bound=4))),
    Case(op=Roll(axis=1, by=Dim.of(1)), inputs=(floats(BATCH, SRC, 2),)),
    Case(op=Roll(axis=-1, by=Dim.of(-2)), inputs=(integers(BATCH, TGT, bound=4),)),
    Case(op=Roll(axis=1, by=Dim.of(SRC) - 3), inputs=(bools(BATCH, Dim.of(SRC) + 3),)),
    Case(op=Roll(axis=2, by=Dim.of(0)), inputs=(floats(BATCH, SRC, 3),)),
    Case(op=Roll(axis=0, by=Dim.of(SRC)), inputs=(floats(SRC, 2),)),
    Case(op=Roll(axis=1, by=Dim.of(1)), inputs=(GRID,)),
    Case(op=Roll(axis=1, by=-Dim.of(SRC)), inputs=(WIDE,)),
    Case(op=BroadcastAxis(axis=1, size=axis(3)), inputs=(floats(BATCH, 1, SRC),)),
    Case(op=BroadcastAxis(axis=-2, size=factored(SRC, 2)), inputs=(floats(BATCH, 1, 2),)),
]
