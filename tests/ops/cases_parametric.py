"""Cases of the ops with parameters, and of positions."""

from __future__ import annotations

from itertools import product

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.init import Init
from archspec.ir.types import axis
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.linear.embedding import Embedding
from archspec.ops.linear.embedding_part import EmbeddingPart
from archspec.ops.linear.learned import Learned
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.position.grid_sincos import GridSincos
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.position.sinusoidal import SinusoidalPositions
from tests.ops.case import BATCH, HEIGHT, SRC, TGT, Case, factored, floats, integers, short_integers

X = floats(BATCH, SRC, 4)
GRID = floats(BATCH, factored(SRC, 2), 4)
NORMED = (X, GRID, floats(BATCH, factored(2, 2)))
ROWS = Dim.of(HEIGHT) // 2


def conv(space: int, channels: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, **more):
    """A convolution with the same numbers along each spatial axis."""
    numbers = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return Convolution(channels=Dim.of(channels), **{k: (n,) * space for k, n in numbers.items()}, **more)


CASES = [
    Case(op=Linear(out=axis(5)), inputs=(X,)),
    Case(op=Linear(out=factored(2, 3), bias=False), inputs=(GRID,)),
    Case(op=Linear(out=axis(2)), inputs=(floats(3),)),
    Case(op=Embedding(rows=Dim.of(4), features=axis(3)), inputs=(integers(BATCH, SRC, bound=4),)),
    Case(op=Embedding(rows=Dim.of(4), features=axis(3)), inputs=(short_integers(BATCH, SRC, bound=3),)),
    Case(op=Embedding(rows=Dim.of(5), features=factored(2, 2)), inputs=(integers(factored(SRC, 2)),)),
    *(
        Case(
            op=EmbeddingPart(rows=Dim.of(rows), features=features, first=Dim.of(first), of=Dim.of(of)),
            inputs=(integers(*axes, bound=of),),
        )
        for rows, features, first, of, axes in (
            (2, axis(3), 2, 6, (BATCH, SRC)),
            (3, factored(2, 2), 0, 3, (SRC,)),
        )
    ),
    *(
        Case(op=LayerNorm(weight=weight, bias=bias), inputs=(x,))
        for x, weight, bias in product(NORMED, (True, False), (True, False))
    ),
    Case(op=LayerNorm(eps=1e-12), inputs=(X,)),
    *(Case(op=LayerNorm(unit_offset=True, bias=bias), inputs=(X,)) for bias in (True, False)),
    *(
        Case(op=RMSNorm(weight=weight, unit_offset=offset), inputs=(x,))
        for x, (weight, offset) in product(NORMED, ((True, False), (True, True), (False, False)))
    ),
    Case(op=RMSNorm(eps=1e-5), inputs=(X,)),
    Case(op=LearnedPositions(rows=Dim.of(6)), inputs=(X,)),
    Case(op=LearnedPositions(rows=Dim.of(9), offset=2), inputs=(X,)),
    Case(op=LearnedPositions(rows=Dim.of(3)), inputs=(floats(BATCH, 3, 2),)),
    Case(op=LearnedPositions(rows=Dim.of(5), offset=2), inputs=(floats(BATCH, 3, 2),)),
    Case(op=LearnedPositions(rows=Dim.of(12)), inputs=(GRID,)),
    *(
        Case(op=SinusoidalPositions(base=base, layout=layout, endpoint=endpoint), inputs=(floats(BATCH, SRC, 6),))
        for base in (10000.0, Scalar.of(50))
        for layout in ("interleaved", "halves")
        for endpoint in (False, True)
    ),
    Case(op=SinusoidalPositions(endpoint=True), inputs=(floats(SRC, 2),)),
    Case(op=GridSincos(rows=Dim.of(2), columns=Dim.of(3)), inputs=(floats(BATCH, 6, 8),)),
    Case(op=GridSincos(rows=ROWS, columns=Dim.of(SRC), base=50.0), inputs=(floats(factored(ROWS, SRC), 4),)),
    Case(op=Learned(axes=(axis(BATCH), axis(1), axis(3)), static=(False, True, True)), inputs=(X,)),
    Case(
        op=Learned(axes=(axis(2), factored(2, 2)), static=(True, True), init=Init(kind="normal", value=0.1)),
        inputs=(integers(TGT),),
    ),
    Case(op=Learned(axes=(axis(SRC), axis(2)), static=(False, False)), inputs=(X,)),
    Case(op=conv(1, 3, 3, padding=1), inputs=(floats(BATCH, 2, TGT),)),
    Case(op=conv(1, 2, 2, stride=3, bias=False), inputs=(floats(BATCH, 2, 8),)),
    Case(op=conv(1, 2, 3, padding=2, dilation=2), inputs=(floats(1, 1, 7),)),
    Case(op=conv(1, 3, 3, causal=True), inputs=(floats(BATCH, 2, TGT),)),
    Case(op=conv(1, 4, 2, dilation=3, groups=2, causal=True), inputs=(floats(BATCH, 4, TGT),)),
    Case(op=conv(1, 2, 1, stride=2), inputs=(floats(BATCH, 3, TGT),)),
    Case(op=conv(2, 3, 2, stride=2), inputs=(floats(BATCH, 2, HEIGHT, 4),)),
    Case(op=conv(2, 2, 3, padding=1, dilation=2), inputs=(floats(1, 1, 5, 4),)),
    Case(op=conv(2, 1, 4, padding=3, dilation=2), inputs=(floats(1, 1, 5, 4),), loose=frozenset((0,))),
    Case(op=conv(1, 4, 2, groups=2), inputs=(floats(BATCH, 4, 4),)),
    Case(op=conv(1, 4, 1, groups=4), inputs=(floats(BATCH, 4, 3),)),
    Case(op=conv(1, 6, 2, groups=3), inputs=(floats(BATCH, 3, 3),)),
    Case(op=conv(1, 3, 2, groups=3), inputs=(floats(1, 6, 3),)),
    Case(op=conv(1, 26, 1, groups=13), inputs=(floats(1, 26, 1),), loose=frozenset((0,))),
    Case(op=conv(2, 2, 1), inputs=(floats(1, factored(1, 2), factored(2, 2), 2),), loose=frozenset((0,))),
    Case(
        op=Convolution(channels=Dim.of(2), kernel=(3, 1), stride=(2, 1), padding=(1, 0), dilation=(1, 1)),
        inputs=(floats(BATCH, 1, TGT, SRC),),
    ),
]
