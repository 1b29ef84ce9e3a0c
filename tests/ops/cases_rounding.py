"""Cases of ops that round, and of those that keep what is rounded as integers."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.ir.types import DType, TensorType, axis
from archspec.ops.elementwise.rounded import Rounded
from archspec.ops.state.from_integers import FromIntegers
from archspec.ops.state.step_attention import StepAttention
from archspec.ops.state.to_integers import ToIntegers
from tests.ops.case import BATCH, SRC, TGT, Case, floats, integers

HEADS = floats(BATCH, 2, TGT, 4)
KEPT = TensorType.of(DType.INT8, BATCH, 2, Dim.of(6), 4)
QUERIES, NEW = floats(BATCH, SRC, 16), floats(BATCH, SRC, 8)


def step(*, rotary: bool) -> Case:
    """Attention of new positions to integers that are kept; every operand is read by nobody knows what."""
    table = (floats(2, BATCH, 1, SRC, 2),) if rotary else ()
    inputs = (QUERIES, NEW, NEW, KEPT, KEPT, integers(BATCH, bound=3), *table)
    op = StepAttention(heads=axis(4), size=axis(4), rotary=rotary, kept_integers=True)
    return Case(op=op, inputs=inputs, loose=frozenset(range(len(inputs))))


CASES = [
    Case(op=Rounded(grid="int8"), inputs=(HEADS,)),
    Case(op=Rounded(grid="int8", axes=(1, 3)), inputs=(HEADS,)),
    Case(op=Rounded(grid="int8", axes=(2,)), inputs=(floats(BATCH, TGT, 4),)),
    Case(op=Rounded(grid="fp8"), inputs=(HEADS,)),
    *(Case(op=ToIntegers(axes=axes), inputs=(HEADS,)) for axes in ((), (1, 3))),
    *(Case(op=FromIntegers(axes=axes), inputs=(KEPT,)) for axes in ((), (1, 3))),
    *(step(rotary=rotary) for rotary in (False, True)),
]
