"""Cases of the ops of small blocks."""

from __future__ import annotations

from archspec.ir.graph import Init
from archspec.ir.scalar import Scalar
from archspec.masks.mask import All, Causal, Given, KeyValid
from archspec.ops.affine import Affine
from archspec.ops.unnormalised_attention import UnnormalisedAttention
from tests.ops.case import BATCH, SRC, TGT, Case, bools, factored, floats

X = floats(BATCH, SRC, 4)
GRID = floats(BATCH, factored(SRC, 2), 2)
SELF = (floats(BATCH, 2, SRC, 2),) * 3
CROSS = (floats(BATCH, 4, SRC, 2), floats(BATCH, 2, TGT, 2), floats(BATCH, 2, TGT, 3))


def weigh(kind, mask, *inputs, loose=(), **options):
    """A case of attention with weights that are not normalised."""
    op = UnnormalisedAttention(kind=kind, mask=mask, **options)
    return Case(op=op, inputs=inputs, loose=frozenset(loose))


CASES = [
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
