"""What does not fit is refused, with the operands that disagree."""

from __future__ import annotations

import pytest

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.op import Primitive, ShapeError
from archspec.ir.types import TensorType, axis
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.ops.elementwise.where import Where
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.embedding import Embedding
from archspec.ops.linear.learned import Learned
from archspec.ops.norm.l2_normalize import L2Normalize
from archspec.ops.position.grid_sincos import GridSincos
from archspec.ops.position.grid_sinusoidal import GridSinusoidal
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.position.sinusoidal import SinusoidalPositions
from archspec.ops.position.sinusoids import Sinusoids
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.gather_position import GatherPosition
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.take import Take
from archspec.ops.shape.transpose import Transpose
from tests.ops.case import bools, floats, integers

B, S, T = Symbol("b", 1, 8, 64), Symbol("s", 1, 64, 512), Symbol("t", 1, 64, 512)
X = floats(B, S, 6)
IDS = integers(B, S)


def conv(channels: int, kernel: int, groups: int = 1) -> Convolution:
    one = {"stride": (1,), "padding": (0,), "dilation": (1,)}
    return Convolution(channels=Dim.of(channels), kernel=(kernel,), groups=groups, **one)


@pytest.mark.parametrize(
    ("op", "inputs", "message", "operands"),
    [
        (Activation(kind="relu"), (IDS,), "needs float, got int64[b, s]", (0,)),
        (Embedding(rows=Dim.of(9), features=axis(4)), (X,), "needs an integer type, got float[b, s, 6]", (0,)),
        (
            Embedding(rows=Dim.of(9), features=axis(4)),
            (integers(B, S, bound=10),),
            "values below 10 may be out of range for a table of size 9",
            (0,),
        ),
        (
            Embedding(rows=Dim.of(9), features=axis(4)),
            (integers(B, S, bound=Dim.of(S)),),
            "values below s may be out of range for a table of size 9",
            (0,),
        ),
        (LearnedPositions(rows=Dim.of(511)), (X,), "the number of positions is s, up to 512, which exceeds 511", (0,)),
        (
            LearnedPositions(rows=Dim.of(512), offset=2),
            (X,),
            "the number of positions is s + 2, up to 514, which exceeds 512",
            (0,),
        ),
        (Sinusoids(features=3), (floats(S),), "sines and cosines come in pairs, got 3 features", (0,)),
        (SinusoidalPositions(), (floats(S, 5),), "sines and cosines come in pairs, got 5 features", (0,)),
        (
            GridSincos(rows=Dim.of(2), columns=Dim.of(3)),
            (floats(7, 8),),
            "axis `n` is 6 in one operand and 7 in another",
            (0, 0),
        ),
        (GridSincos(rows=Dim.of(2), columns=Dim.of(3)), (floats(6, 6),), "needs a multiple of 4 features, got 6", (0,)),
        (
            GridSinusoidal(rows=Dim.of(2), columns=Dim.of(3)),
            (floats(6, 6), bools(B, 6)),
            "needs a multiple of 4 features, got 6",
            (0,),
        ),
        (
            GridSinusoidal(rows=Dim.of(2), columns=Dim.of(3)),
            (floats(6, 8), bools(B, 5)),
            "axis `n` is 6 in one operand and 5 in another",
            (0, 1),
        ),
        (Binary(kind="add"), (X, IDS), "operands must have the same dtype, got float[b, s, 6] and int64[b, s]", (0, 1)),
        (Binary(kind="add"), (X, floats(T, 6)), "axis -2 is s in float[b, s, 6] and t in float[t, 6]", (0, 1)),
        (Binary(kind="divide"), (IDS, IDS), "integers cannot be divided, got int64[b, s]", (0,)),
        (Binary(kind="add"), (bools(B), bools(B)), "needs float or int64 or int32, got bool[b]", (0,)),
        (
            WithNumber(kind="add", number=Scalar.of(1) / 2),
            (IDS,),
            "integers need a whole number, got 0.5 and int64[b, s]",
            (0,),
        ),
        (Compare(kind="==", number=Scalar.of(0)), (X,), "needs an integer type, got float[b, s, 6]", (0,)),
        (Logical(kind="and"), (bools(B), IDS), "needs bool, got int64[b, s]", (1,)),
        (
            Where(),
            (bools(S), IDS, X),
            "both branches must have the same dtype, got int64[b, s] and float[b, s, 6]",
            (1, 2),
        ),
        (Merge(axis=2), (X,), "float[b, s, 6] does not have 2 axes starting at axis 2", (0,)),
        (Merge(axis=3), (X,), "float[b, s, 6] has no axis 3", (0,)),
        (Split(axis=2, sizes=(axis(4), axis(2))), (X,), "axis 2 of float[b, s, 6] does not have the size 4 * 2", (0,)),
        (
            Split(axis=1, sizes=(axis(Dim.of(S) // 2), axis(2))),
            (X,),
            "axis 1 of float[b, s, 6] does not have the size s//2 * 2",
            (0,),
        ),
        (Transpose(order=(0, 1)), (X,), "[0, 1] is not a permutation of the axes of float[b, s, 6]", (0,)),
        (Take(axis=1, index=1), (X,), "axis 1 of float[b, s, 6] may have no position 1", (0,)),
        (Take(axis=2, index=-7), (X,), "axis 2 of float[b, s, 6] may have no position -7", (0,)),
        (
            Slice(axis=1, start=Dim.of(0), stop=Dim.of(4)),
            (X,),
            "the range 0 to 4 may exceed axis 1 of float[b, s, 6]",
            (0,),
        ),
        (Slice(axis=2, start=Dim.of(-7)), (X,), "the range -1 to 6 may exceed axis 2 of float[b, s, 6]", (0,)),
        (Concat(axis=1), (X, floats(B, T, 5)), "axis 2 is 6 in one operand and 5 in another", (0, 1)),
        (Concat(axis=1), (X, IDS), "float[b, s, 6] and int64[b, s] cannot be joined", (0, 1)),
        (
            Learned(axes=(axis(S),), static=(True,)),
            (X,),
            "a learned tensor needs fixed sizes, but s is only known at run time",
            (),
        ),
        (Reduce(kind="mean", axes=(1, -2)), (X,), "an axis of float[b, s, 6] is reduced twice: [1, -2]", (0,)),
        (MaskedPool(kind="mean"), (X, bools(B, T)), "axis `s` is s in one operand and t in another", (0, 1)),
        (MaskedPool(kind="mean"), (X, IDS), "needs bool, got int64[b, s]", (1,)),
        (
            GatherPosition(),
            (X, integers(B, bound=600)),
            "values below 600 may be out of range for an axis of size s",
            (1,),
        ),
        (L2Normalize(axis=3), (X,), "float[b, s, 6] has no axis 3", (0,)),
        (conv(4, 3), (floats(B, 6, S),), "a kernel with a reach of 3 may not fit into s", (0,)),
        (conv(4, 1, groups=3), (floats(B, 6, S),), "3 groups do not divide 4 output channels", (0,)),
        (conv(4, 1, groups=4), (floats(B, 6, S),), "4 groups do not divide 6 input channels", (0,)),
        (conv(4, 1), (floats(B, 6, S, S),), "needs batch, channels and 1 spatial axes, got float[b, 6, s, s]", (0,)),
    ],
    ids=str,
)
def test_refused(op: Primitive, inputs: tuple[TensorType, ...], message: str, operands: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError) as caught:
        op.infer(*inputs)
    assert (caught.value.message, caught.value.operands) == (message, operands)


def test_a_bound_within_the_table_is_accepted() -> None:
    op = Embedding(rows=Dim.of(512), features=axis(4))
    assert op.infer(integers(B, S, bound=Dim.of(S))) == (floats(B, S, 4),)


def test_positions_that_just_fit_are_accepted() -> None:
    assert LearnedPositions(rows=Dim.of(512)).infer(X) == (floats(S, 6),)
