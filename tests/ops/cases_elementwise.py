"""Cases of the ops on elements."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import get_args

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ops.attention.softcap import Softcap
from archspec.ops.elementwise import activation, arithmetic, compare, unary
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.clamp import Clamp
from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.dropout import Dropout
from archspec.ops.elementwise.logical import Logical
from archspec.ops.elementwise.rounded import Rounded
from archspec.ops.elementwise.select import Select
from archspec.ops.elementwise.unary import Unary
from archspec.ops.elementwise.where import Where
from archspec.ops.elementwise.with_number import WithNumber
from tests.ops.case import BATCH, LAYER, SRC, TGT, Case, bools, factored, floats, integers, short_integers

X = floats(BATCH, SRC, 3)
GRID = floats(BATCH, factored(SRC, 2), 2)
FLAT = floats(BATCH, 2 * Dim.of(SRC), 2)
NUMBERS = [
    Scalar.of(3),
    Scalar.of(Fraction(-1, 4)),
    Scalar.of(2).sqrt(),
    Scalar.of(SRC),
    1 / Scalar.of(SRC).sqrt(),
    Scalar.of(LAYER) + 1,
]

CASES = [
    *(Case(op=Activation(kind=kind), inputs=(X,)) for kind in get_args(activation.Kind)),
    *(Case(op=Unary(kind=kind), inputs=(X,)) for kind in get_args(unary.Kind)),
    Case(op=Unary(kind="exp"), inputs=(floats(),)),
    Case(op=Dropout(rate=0.1), inputs=(X,)),
    Case(op=Clamp(high=0.5), inputs=(X,)),
    Case(op=Rounded(grid="int8"), inputs=(X,)),
    Case(op=Rounded(grid="fp8"), inputs=(GRID,)),
    Case(op=Clamp(high=0.25, low=-0.75), inputs=(GRID,)),
    Case(op=Softcap(cap=Scalar.of(30)), inputs=(X,)),
    Case(op=Softcap(cap=Scalar.of(Fraction(1, 2))), inputs=(GRID,)),
    Case(op=Softcap(cap=Scalar.of(SRC).sqrt()), inputs=(X,)),
    *(Case(op=Binary(kind=kind), inputs=(X, X)) for kind in get_args(arithmetic.Operation)),
    Case(op=Binary(kind="add"), inputs=(X, floats(SRC, 3))),
    Case(op=Binary(kind="multiply"), inputs=(floats(3), X)),
    Case(op=Binary(kind="subtract"), inputs=(floats(BATCH, 1, 3), floats(SRC, 1))),
    Case(op=Binary(kind="add"), inputs=(GRID, GRID)),
    Case(op=Binary(kind="add"), inputs=(FLAT, GRID)),
    Case(op=Binary(kind="multiply"), inputs=(integers(BATCH, SRC), integers(BATCH, SRC))),
    *(
        Case(op=WithNumber(kind=kind, number=number, number_first=first), inputs=(X,))
        for kind, first in product(get_args(arithmetic.Operation), (False, True))
        for number in (NUMBERS if kind == "divide" else NUMBERS[:1])
    ),
    Case(op=WithNumber(kind="subtract", number=Scalar.of(7)), inputs=(integers(BATCH, SRC, bound=9),)),
    *(
        Case(op=Compare(kind=kind, number=Scalar.of(2)), inputs=(integers(BATCH, SRC),))
        for kind in get_args(compare.Kind)
    ),
    Case(op=Compare(kind="<", number=Scalar.of(SRC)), inputs=(integers(BATCH, SRC),)),
    Case(op=Compare(kind="<=", number=Scalar.of(1)), inputs=(short_integers(BATCH, SRC, bound=4),)),
    Case(op=Logical(kind="not"), inputs=(bools(BATCH, SRC),)),
    Case(op=Logical(kind="and"), inputs=(bools(BATCH, SRC), bools(BATCH, SRC))),
    Case(op=Logical(kind="or"), inputs=(bools(BATCH, 1), bools(SRC))),
    Case(op=Where(), inputs=(bools(BATCH, SRC, 3), X, X)),
    Case(op=Where(), inputs=(bools(SRC, 3), X, floats(3))),
    Case(op=Where(), inputs=(bools(BATCH, SRC, 1), X, X), loose=frozenset((1, 2))),
    Case(op=Where(), inputs=(bools(TGT), floats(TGT), floats(1))),
    Case(op=Where(), inputs=(bools(BATCH, factored(SRC, 2), 2), GRID, GRID)),
    Case(op=Where(), inputs=(bools(SRC), integers(BATCH, SRC), integers(BATCH, SRC))),
    Case(op=Select(number=Scalar.of(0)), inputs=(bools(BATCH, SRC), X)),
    Case(op=Select(number=Scalar.of(1) / Scalar.of(SRC)), inputs=(bools(BATCH), X)),
    Case(op=Select(number=Scalar.of(-2)), inputs=(bools(BATCH, SRC), integers(BATCH, SRC))),
    Case(op=Select(number=None), inputs=(bools(BATCH, SRC), X, X)),
    Case(op=Select(number=None), inputs=(bools(BATCH, SRC), X, floats(3))),
    Case(op=Select(number=None), inputs=(bools(BATCH, SRC, 3), X, floats(SRC, 1))),
    Case(op=Select(number=None), inputs=(bools(BATCH), bools(BATCH, SRC), bools(BATCH, SRC))),
    Case(op=Select(number=None), inputs=(bools(BATCH, factored(SRC, 2)), GRID, GRID)),
]
