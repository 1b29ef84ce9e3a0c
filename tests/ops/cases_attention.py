"""Cases of attention and of the masks made for it."""

from __future__ import annotations

from fractions import Fraction

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.types import TensorType
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.query_valid import QueryValid
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.given import Given
from archspec.masks.mask import Mask
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.make_mask import MakeMask
from tests.ops.case import BATCH, SRC, TGT, Case, bools, factored, floats, integers

SELF = (floats(BATCH, 2, SRC, 2),) * 3
CROSS = (floats(BATCH, 2, SRC, 2), floats(BATCH, 2, TGT, 2), floats(BATCH, 2, TGT, 3))
GROUPED = (floats(BATCH, 4, SRC, 2), floats(BATCH, 2, TGT, 2), floats(BATCH, 2, TGT, 2))
LATENT = (floats(BATCH, 4, SRC, 3), floats(BATCH, 1, SRC, 3), floats(BATCH, 1, SRC, 2))
VALID, SEGMENTS = bools(BATCH, SRC), integers(BATCH, SRC, bound=2)
TWO, ONE = Dim.of(2), Dim.of(1)
# A row with one key alone has the weight 1 whatever its scores are; one with none is zero.
SCORES = frozenset((0, 1))
FIRST = frozenset((1,))


def attend(mask: Mask, *inputs: TensorType, loose: frozenset[int] = SCORES, **options: object) -> Case:
    """A case of attention."""
    return Case(op=Attention(mask=mask, **options), inputs=inputs, loose=loose)


def make(
    mask: Mask, *controls: TensorType, loose: frozenset[int] = frozenset(), keep: bool = False, keys: Dim | None = None
) -> Case:
    """A case of a mask over `src` queries."""
    op = MakeMask(mask=mask, queries=Dim.of(SRC), keys=Dim.of(SRC) if keys is None else keys, keep=keep)
    inputs = (floats(BATCH, SRC, 2), *controls)
    return Case(op=op, inputs=inputs, loose=loose)


CASES = [
    attend(All(), *SELF, loose=frozenset()),
    attend(All(), *CROSS, loose=frozenset(), dropout=0.1),
    attend(All(), *CROSS, loose=frozenset(), weights=True),
    attend(All(), *GROUPED, loose=frozenset(), scale=Scalar.of(Fraction(1, 4))),
    attend(All(), *GROUPED, loose=frozenset(), weights=True, softcap=Scalar.of(3)),
    attend(Causal(), *LATENT),
    attend(KeyValid(0), *LATENT, VALID, scale=Scalar.of(Fraction(1, 4)), weights=True),
    attend(Causal() & KeyValid(0), *LATENT, VALID, softcap=Scalar.of(3)),
    attend(Causal(), *LATENT, sink="learned", loose=frozenset()),
    attend(Causal(), *SELF),
    attend(Causal(), *SELF, weights=True),
    attend(Last(TWO), *SELF),
    attend(Within(ONE), *SELF, loose=frozenset()),
    attend(KeyValid(0), *CROSS, bools(BATCH, TGT)),
    attend(KeyValid(0), *CROSS, bools(BATCH, TGT), weights=True),
    attend(Causal() & KeyValid(0), *SELF, VALID),
    attend(Causal() | Prefix(control=0), *SELF, integers(BATCH, bound=4), loose=SCORES | {3}),
    attend(SameSegment(0), *SELF, SEGMENTS),
    attend(SameSegment(0) & KeyValid(1), *SELF, SEGMENTS, VALID),
    attend(QueryValid(0), *CROSS, VALID, loose=frozenset((0,))),
    attend(QueryValid(0), *CROSS, VALID, loose=frozenset((0,)), weights=True),
    attend(Last(TWO) | QueryValid(0), *SELF, VALID),
    attend(Last(TWO) & KeyValid(0) | QueryValid(1), *SELF, VALID, VALID),
    attend(KeyValid(0) & (Causal() | QueryValid(0)), *SELF, VALID),
    attend(Given(0), *CROSS, bools(BATCH, 1, SRC, TGT), loose=SCORES | {2}),
    *(
        attend(mask, *SELF, *more, loose=loose | extra, bias=True, **options)
        for mask, more, loose, extra, options in (
            (All(), (floats(2, SRC, SRC),), frozenset(), frozenset(), {}),
            (All(), (floats(1, 2, SRC, SRC),), frozenset(), frozenset(), {"weights": True}),
            (Causal(), (floats(SRC, SRC),), SCORES, frozenset((3,)), {}),
            (Causal(), (floats(BATCH, 1, SRC, SRC),), SCORES, frozenset((3,)), {}),
            (KeyValid(0), (floats(BATCH, 2, SRC, SRC), VALID), SCORES, frozenset((3,)), {"softcap": Scalar.of(2)}),
            (KeyValid(0), (floats(2, 1, SRC), VALID), SCORES, frozenset((3,)), {"dropout": 0.1}),
        )
    ),
    attend(All(), *SELF, floats(BATCH, 2, SRC, SRC), loose=frozenset(), factor=True),
    attend(
        KeyValid(0), *SELF, floats(SRC, SRC), floats(2, SRC, 1), VALID, loose=SCORES | {3, 4}, factor=True, bias=True
    ),
    attend(All(), *SELF, floats(SRC, SRC), floats(2, SRC, SRC), loose=frozenset(), factor=True, bias=True),
    *(attend(All(), *GROUPED, loose=frozenset(), sink=sink) for sink in ("zero", "learned")),
    attend(Causal(), *SELF, sink="zero", loose=frozenset()),
    attend(KeyValid(0), *SELF, VALID, sink="learned", weights=True, scale=Scalar.of(1)),
    make(Causal()),
    make(Last(TWO) | Within(ONE)),
    make(KeyValid(0), bools(BATCH, TGT), keys=Dim.of(TGT)),
    make(KeyValid(0), bools(BATCH, SRC), keep=True),
    make(Causal() & KeyValid(0), VALID, loose=FIRST),
    make(Causal() & KeyValid(0), VALID, loose=FIRST, keep=True),
    make(SameSegment(0), SEGMENTS, loose=FIRST),
    make(Causal() | Prefix(control=0), integers(BATCH, bound=4), loose=FIRST),
    make(Within(ONE) & KeyValid(1) & SameSegment(0), SEGMENTS, VALID, loose=frozenset((1, 2)), keep=True),
    make(KeyValid(0), bools(BATCH, factored(SRC)), keep=True),
    make(QueryValid(0), VALID),
    make(QueryValid(0), bools(SRC), loose=FIRST, keep=True),
    make(QueryValid(0), VALID, keys=Dim.of(TGT)),
    make(KeyValid(0) & Last(TWO) | QueryValid(1), VALID, VALID, loose=FIRST),
    make(KeyValid(0) & Last(TWO) | QueryValid(1), VALID, VALID, loose=frozenset((1, 2)), keep=True),
]
