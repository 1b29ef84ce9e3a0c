"""Cases of positions inside attention."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.ir.types import axis
from archspec.ops.attention.window_numbers import WindowNumbers
from archspec.ops.position.alibi import Alibi
from archspec.ops.position.counted_positions import CountedPositions
from archspec.ops.position.grid_sinusoidal import GridSinusoidal
from archspec.ops.position.length_scaling import DynamicScaling, FactorScaling, LongScaling
from archspec.ops.position.relative_buckets import RelativeBuckets
from archspec.ops.position.relative_grid import RelativeGrid
from archspec.ops.position.resized_positions import ResizedPositions
from archspec.ops.position.rotary import Rotary
from archspec.ops.position.rotary_grid_table import RotaryGridTable
from archspec.ops.position.rotary_scaling import LinearScaling, Llama3Scaling, YarnScaling
from archspec.ops.position.rotary_table import RotaryTable
from archspec.ops.position.sinusoids import Sinusoids
from tests.ops.case import BATCH, HEIGHT, SRC, TGT, Case, bools, factored, floats, integers

X = floats(BATCH, SRC, 4)
HEADS = floats(BATCH, 2, SRC, 6)
# A feature depends on its own pair alone, and one that passes on no angle.
PAIRS = frozenset((0, 1))

CASES = [
    Case(op=RotaryTable(size=6), inputs=(X,)),
    Case(op=RotaryTable(size=2, base=50.0), inputs=(floats(BATCH, factored(SRC, 2), 4),)),
    Case(op=RotaryTable(size=8, ids=True), inputs=(X, integers(BATCH, SRC, bound=9))),
    Case(op=RotaryTable(size=4, ids=True), inputs=(X, integers(SRC, bound=9))),
    Case(op=RotaryTable(size=6, scaling=LinearScaling(factor=4.0)), inputs=(X,)),
    Case(
        op=RotaryTable(size=16, base=100.0, scaling=Llama3Scaling(factor=8.0, low=1.0, high=4.0, original=64.0)),
        inputs=(X,),
    ),
    Case(op=RotaryTable(size=16, base=100.0, scaling=YarnScaling(factor=4.0, original=64.0)), inputs=(X,)),
    Case(
        op=RotaryTable(size=8, ids=True, scaling=YarnScaling(factor=4.0, original=64.0, fast=8.0, slow=2.0)),
        inputs=(X, integers(BATCH, SRC, bound=9)),
    ),
    # Within and beyond the original length.
    *(
        Case(
            op=RotaryTable(
                size=8, base=50.0, scaling=DynamicScaling(factor=3.0, original=original, length=Dim.of(SRC))
            ),
            inputs=(X,),
        )
        for original in (2, 9)
    ),
    *(
        Case(
            op=RotaryTable(
                size=4,
                scaling=LongScaling(
                    short=(1.5, 2.0), long=(3.0, 8.25), original=original, given=1.25, length=Dim.of(SRC)
                ),
            ),
            inputs=(X,),
        )
        for original in (2, 3)
    ),
    Case(op=RotaryTable(size=2, scaling=FactorScaling(factors=(2.5,), given=1.0)), inputs=(X,)),
    *(
        Case(
            op=RotaryGridTable(
                rows=rows,
                columns=columns,
                size=8,
                coordinates=coordinates,
                frequencies=frequencies,
                base=base,
                tokens=tokens,
            ),
            inputs=(floats(BATCH, rows * columns + tokens, 2),),
        )
        for coordinates, base in (("index", 10000.0), ("centred", 100.0))
        for frequencies in ("shared", "alternating")
        for rows, columns, tokens in (
            (Dim.of(2), Dim.of(3), 0),
            (Dim.of(HEIGHT) // 2, Dim.of(5), 2),
            (Dim.of(HEIGHT), Dim.of(SRC), 1),
        )
    ),
    *(
        Case(op=Sinusoids(features=features, base=base, layout=layout, first=first, endpoint=endpoint), inputs=(x,))
        for layout, first, endpoint in (("interleaved", "sine", False), ("halves", "cosine", True))
        for features, base in ((2, 10000.0), (6, 50.0))
        for x in (floats(BATCH), floats(BATCH, factored(SRC, 2)))
    ),
    *(
        Case(op=Rotary(layout=layout), inputs=(HEADS, table), loose=PAIRS)
        for layout in ("half", "interleaved")
        for table in (floats(2, SRC, 3), floats(2, SRC, 2), floats(2, BATCH, 1, SRC, 3))
    ),
    *(
        Case(op=Alibi(heads=heads, learned=learned), inputs=(X, floats(BATCH, TGT, 2)))
        for heads, learned in ((4, False), (12, False), (3, True))
    ),
    *(
        Case(
            op=RelativeBuckets(heads=3, buckets=buckets, max_distance=distance, bidirectional=both),
            inputs=(floats(BATCH, 2, 40, 4), floats(BATCH, TGT, 2)),
        )
        for buckets, distance, both in ((8, 20, False), (12, 16, True), (32, 128, True))
    ),
    Case(op=RelativeGrid(heads=2, rows=2, columns=3), inputs=(floats(BATCH, 6, 4),) * 2),
    Case(op=RelativeGrid(heads=2, rows=3, columns=1), inputs=(floats(BATCH, 2, 3, 4),) * 2),
    *(
        Case(op=RelativeGrid(heads=2, rows=2, columns=2, whole=whole), inputs=(floats(BATCH, factored(*whole), 4),) * 2)
        for whole in ((Dim.of(HEIGHT), Dim.of(4)), (Dim.of(4), Dim.of(HEIGHT)))
    ),
    *(
        Case(op=WindowNumbers(rows=rows, columns=columns, size=size, shift=shift), inputs=(floats(BATCH, 24, 2),))
        for rows, columns, size, shift in (
            (Dim.of(4), Dim.of(6), (2, 3), (0, 0)),
            (Dim.of(4), Dim.of(6), (2, 3), (1, 2)),
            (Dim.of(6), Dim.of(4), (6, 2), (0, 1)),
        )
    ),
    Case(
        op=WindowNumbers(rows=Dim.of(HEIGHT), columns=Dim.of(6), size=(2, 3), shift=(1, 0)),
        inputs=(floats(BATCH, factored(HEIGHT, 6), 2),),
    ),
    *(
        Case(
            op=CountedPositions(rows=Dim.of(9), features=axis(3), offset=offset),
            inputs=(bools(*shape),),
            # Of no valid position and of one alone the row is the first.
            loose=frozenset(() if offset else (0,)),
        )
        for offset in (0, 1, 2)
        for shape in ((BATCH, SRC), (TGT,))
    ),
    *(
        Case(
            op=GridSinusoidal(rows=rows, columns=columns, base=base),
            inputs=(x, bools(BATCH, grid)),
            # The cosine of an angle that differs from 2 pi by 1e-6 is 1.
            loose=frozenset((1,)),
        )
        for rows, columns, base in (
            (Dim.of(2), Dim.of(3), 10000.0),
            (Dim.of(HEIGHT), Dim.of(SRC), 50.0),
            (Dim.of(1), Dim.of(TGT), 100.0),
        )
        for grid in (factored(rows, columns), axis(rows * columns))
        for x in (floats(BATCH, grid, 8), floats(rows * columns, 4))
    ),
    *(
        Case(
            op=ResizedPositions(grid=(4, 3), rows=rows, columns=columns, mode=mode, tokens=tokens, offset=offset),
            inputs=(floats(BATCH, rows * columns + tokens, 2),),
        )
        for mode in ("bilinear", "bicubic")
        for rows, columns, tokens, offset in (
            (Dim.of(SRC), Dim.of(1), 0, 1),
            (Dim.of(HEIGHT) // 2, Dim.of(5), 1, 0),
            (Dim.of(7), Dim.of(SRC), 0, 2),
            (Dim.of(9), Dim.of(2), 2, 0),
        )
    ),
]
