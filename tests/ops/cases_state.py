"""Cases of ops of a step of decoding: positions row by row, what is kept, and ops that take positions."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.types import TensorType, axis
from archspec.masks.at_positions import AtPositions
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.mask import Mask
from archspec.ops.attention.attention import Attention
from archspec.ops.position.alibi import Alibi
from archspec.ops.position.counted_positions import CountedPositions
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.position.relative_buckets import RelativeBuckets
from archspec.ops.position.sinusoidal import SinusoidalPositions
from archspec.ops.state.axis_positions import AxisPositions
from archspec.ops.state.entries_before import EntriesBefore
from archspec.ops.state.last_entry import LastEntry
from archspec.ops.state.masked_positions import MaskedPositions
from archspec.ops.state.row_positions import RowPositions
from archspec.ops.state.step_attention import StepAttention
from archspec.ops.state.write_positions import WritePositions
from tests.ops.case import BATCH, SRC, TGT, Case, bools, floats, integers
from tests.ops.cases_parametric import conv

ALL, ONE, TWO = Dim.of(TGT), Dim.of(1), Dim.of(2)
ROWS = integers(BATCH, bound=5)
MARKS = integers(BATCH, TGT, bound=2)
QUERIES, KEYS = integers(BATCH, SRC, bound=6), integers(BATCH, TGT, bound=6)
X = floats(BATCH, SRC, 4)
CROSS = (floats(BATCH, 2, SRC, 4), floats(BATCH, 2, TGT, 4), floats(BATCH, 2, TGT, 3))
BUCKETS: dict[str, int] = {"heads": 3, "buckets": 8, "max_distance": 9}


def placed(mask: Mask, *controls: TensorType, loose: frozenset[int]) -> Case:
    """Attention whose queries and keys stand at given positions, which are controls 0 and 1."""
    return Case(op=Attention(mask=AtPositions(mask, 0, 1)), inputs=(*CROSS, *controls), loose=loose)


def cached(heads: int, groups: int, *, room: int = 6, rotary: bool = False, scale: Scalar | None = None) -> Case:
    """Attention of new positions to kept ones; every operand is read by nobody knows what."""
    new, kept = (floats(BATCH, SRC, 4 * count) for count in (heads, groups)), floats(BATCH, groups, Dim.of(room), 4)
    q, own = new
    op = StepAttention(heads=axis(heads), size=axis(4), scale=scale, rotary=rotary)
    table = (floats(TWO, BATCH, ONE, SRC, TWO),) if rotary else ()
    inputs = (q, own, own, kept, kept, integers(BATCH, bound=3), *table)
    return Case(op=op, inputs=inputs, loose=frozenset(range(len(inputs))))


# Positions bar most pairs, whatever is drawn: what is barred is not read.
BARRED = frozenset((0, 1, 2))

CASES = [
    Case(op=AxisPositions(size=ALL), inputs=(floats(TGT),)),
    Case(op=AxisPositions(size=Dim.of(7), filled=True), inputs=(ROWS, ROWS), loose=frozenset((1,))),
    *(Case(op=RowPositions(new=Dim.of(3), limit=Dim.of(9), kept=kept), inputs=(ROWS,)) for kept in (0, 1, 4)),
    *(Case(op=RowPositions(new=Dim.of(3), limit=Dim.of(4), kept=kept), inputs=(ROWS,)) for kept in (0, 2)),
    Case(op=RowPositions(new=Dim.of(3), limit=None), inputs=(ROWS,)),
    *(
        Case(op=MaskedPositions(limit=Dim.of(limit), new=new), inputs=(MARKS,), loose=frozenset((0,)))
        for new in (None, Dim.of(2))
        for limit in (3, 9)
    ),
    *(Case(op=LastEntry(new=Dim.of(new)), inputs=(MARKS,), loose=frozenset((0,))) for new in (1, 3)),
    *(
        Case(
            op=WritePositions(axis=axis),
            inputs=(floats(BATCH, *kept), floats(BATCH, *new), ROWS),
            loose=frozenset((0, 1)),
        )
        for axis, kept, new in ((1, (TGT, 2), (SRC, 2)), (2, (2, TGT), (2, SRC)))
    ),
    *(
        Case(
            op=WritePositions(axis=2, ring=True),
            inputs=(floats(BATCH, 2, kept), floats(BATCH, 2, SRC), ROWS, integers(BATCH, bound=4)),
            loose=frozenset((0, 1)),
        )
        for kept in (2, 5)
    ),
    cached(2, 2),
    cached(4, 2, rotary=True),
    cached(3, 1, room=4, rotary=True, scale=Scalar.of(2)),
    Case(op=LearnedPositions(rows=Dim.of(9), offset=2, ids=True), inputs=(X, QUERIES)),
    Case(op=LearnedPositions(rows=Dim.of(9), ids=True), inputs=(X, integers(SRC, bound=9))),
    *(
        Case(op=SinusoidalPositions(layout=layout, ids=True), inputs=(X, QUERIES))
        for layout in ("interleaved", "halves")
    ),
    *(
        Case(op=op, inputs=(X, QUERIES, keys))
        for keys in (KEYS, integers(TGT, bound=6))
        for op in (
            Alibi(heads=3, ids=True),
            RelativeBuckets(**BUCKETS, bidirectional=False, ids=True),
            RelativeBuckets(**BUCKETS, bidirectional=True, ids=True),
        )
    ),
    *(
        Case(op=op, inputs=(x, QUERIES, keys), loose=frozenset(loose))
        for keys in (KEYS, integers(TGT, bound=6))
        for op, x, loose in (
            (EntriesBefore(axis=1, by=ONE, fill=Scalar.of(0)), floats(BATCH, TGT, 2), (0,)),
            (EntriesBefore(axis=2, by=TWO, fill=Scalar.of(3)), floats(BATCH, 2, TGT), (0,)),
            (CountedPositions(rows=Dim.of(9), features=axis(3), offset=2, ids=True), bools(BATCH, TGT), (0,)),
            (conv(1, 3, 3, causal=True, ids=True), floats(BATCH, 2, TGT), (0,)),
            (conv(1, 4, 2, dilation=2, groups=2, causal=True, ids=True, bias=False), floats(BATCH, 4, TGT), (0,)),
        )
    ),
    Case(op=CountedPositions(rows=Dim.of(9), features=axis(3), ids=True), inputs=(bools(BATCH, TGT), QUERIES, KEYS)),
    placed(Causal(), QUERIES, KEYS, loose=BARRED),
    placed(Last(TWO) | Prefix(length=ONE), QUERIES, integers(TGT, bound=6), loose=BARRED),
    placed(Causal() & KeyValid(2), QUERIES, KEYS, bools(BATCH, TGT), loose=BARRED),
    placed(
        Causal() & SameSegment(2, 3),
        QUERIES,
        KEYS,
        integers(BATCH, TGT, bound=2),
        integers(BATCH, SRC, bound=2),
        loose=BARRED,
    ),
]
