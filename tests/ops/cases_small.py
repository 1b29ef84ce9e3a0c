"""Cases of the ops of small blocks."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.init import Init
from archspec.ir.types import axis
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.given import Given
from archspec.ops.attention.unnormalised_attention import UnnormalisedAttention
from archspec.ops.elementwise.constant import Constant
from archspec.ops.linear.matmul import Matmul
from archspec.ops.norm.affine import Affine
from archspec.ops.reduction.argmax import Argmax
from archspec.ops.shape.shift import Shift
from tests.ops.case import BATCH, SRC, TGT, Case, bools, factored, floats, integers

X = floats(BATCH, SRC, 4)
GRID = floats(BATCH, factored(SRC, 2), 2)
SELF = (floats(BATCH, 2, SRC, 2),) * 3
CROSS = (floats(BATCH, 4, SRC, 2), floats(BATCH, 2, TGT, 2), floats(BATCH, 2, TGT, 3))


def weigh(kind, mask, *inputs, loose=(), **options):
    """A case of attention with weights that are not normalised."""
    op = UnnormalisedAttention(kind=kind, mask=mask, **options)
    return Case(op=op, inputs=inputs, loose=frozenset(loose))


WIDE = floats(BATCH, factored(2, SRC), 2)


def shift(by, axis, *inputs, fill=0, loose=()):
    """A case of a shift."""
    return Case(op=Shift(axis=axis, by=Dim.of(by), fill=Scalar.of(fill)), inputs=inputs, loose=frozenset(loose))


def matmul(*inputs, transpose_right=False):
    """A case of a product."""
    return Case(op=Matmul(transpose_right=transpose_right), inputs=inputs)


CASES = [
    shift(1, 1, X),
    shift(-2, -1, X, fill=3),
    shift(1, 0, integers(TGT, bound=4)),
    shift(3, 0, floats(3, 2), fill=Scalar.of(SRC)),
    shift(1, 1, WIDE),
    matmul(floats(SRC, 2), floats(2, 3)),
    matmul(floats(BATCH, SRC, 2), floats(2, TGT)),
    matmul(floats(SRC, 3), floats(BATCH, TGT, 3), transpose_right=True),
    matmul(floats(BATCH, 1, SRC, 2), floats(3, TGT, 2), transpose_right=True),
    # One stack of matrices for every row.
    matmul(floats(BATCH, 3, SRC, 2), floats(3, 2, 5)),
    matmul(floats(BATCH, 3, SRC, 2), floats(3, 5, 2), transpose_right=True),
    matmul(GRID, floats(BATCH, 2, factored(2, SRC))),
    Case(op=Argmax(axis=-1), inputs=(X,)),
    Case(op=Argmax(axis=1), inputs=(integers(BATCH, SRC, 2),)),
    Case(op=Constant(axes=(axis(SRC), axis(2)), number=Scalar.of(1) / Scalar.of(SRC)), inputs=(X,)),
    Case(op=Constant(axes=(axis(3),), number=Scalar.of(-2)), inputs=(floats(BATCH, 2),)),
    Case(op=Constant(axes=(axis(BATCH), axis(1)), number=True), inputs=(X,)),
    Case(op=Constant(axes=(axis(SRC),), number=False), inputs=(bools(BATCH, SRC),)),
    *(Case(op=Affine(scale=scale, shift=not scale), inputs=(X,)) for scale in (True, False)),
    Case(op=Affine(init=Init(kind="constant", value=1e-6)), inputs=(GRID,)),
    Case(op=Affine(shift=False), inputs=(floats(factored(2, 2)),)),
    weigh("sigmoid", All(), *SELF),
    weigh("sigmoid", Causal(), *SELF, scale=1 / Scalar.of(SRC)),
    weigh("sigmoid", KeyValid(0), *CROSS, bools(BATCH, TGT), softcap=Scalar.of(2), loose=(0,)),
    weigh("sigmoid", Given(0), *CROSS, bools(BATCH, 1, SRC, TGT), loose=(0, 1, 2)),
    weigh("sigmoid", All(), *SELF, floats(2, SRC, SRC), bias=True),
    weigh("relu_squared", All(), *SELF, loose=(2,)),
    weigh("relu_squared", Causal() & KeyValid(0), *SELF, bools(BATCH, SRC), loose=(0, 1, 2)),
]
