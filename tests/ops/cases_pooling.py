"""Cases of the ops that reduce axes or normalise over them."""

from __future__ import annotations

from typing import get_args

from archspec.ops.norm.l2_normalize import L2Normalize
from archspec.ops.reduction import masked_pool, reduce
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.gather_position import GatherPosition
from tests.ops.case import BATCH, SRC, TGT, Case, bools, factored, floats, integers, short_integers

X = floats(BATCH, SRC, 3)
GRID = floats(BATCH, factored(SRC, 2), 2)
DEEP = floats(BATCH, 2, SRC, TGT)

CASES = [
    *(Case(op=Reduce(kind=kind, axes=(1,)), inputs=(X,)) for kind in get_args(reduce.Kind)),
    *(Case(op=Reduce(kind=kind, axes=(2, 3)), inputs=(DEEP,)) for kind in get_args(reduce.Kind)),
    Case(op=Reduce(kind="max", axes=(-1, 0)), inputs=(GRID,)),
    Case(op=Reduce(kind="mean", axes=(1,)), inputs=(GRID,)),
    *(
        Case(op=MaskedPool(kind=kind), inputs=(x, bools(*x.axes[:2])), loose=frozenset((0,) if kind == "last" else ()))
        for kind in get_args(masked_pool.Kind)
        for x in (X, GRID)
    ),
    Case(op=MaskedPool(kind="mean"), inputs=(GRID, bools(BATCH, GRID.shape[1]))),
    Case(op=GatherPosition(), inputs=(X, integers(BATCH, bound=1)), loose=frozenset((0, 1))),
    Case(op=GatherPosition(), inputs=(floats(BATCH, 3, 2), integers(BATCH, bound=3)), loose=frozenset((0,))),
    Case(op=GatherPosition(), inputs=(floats(BATCH, 3, 2), short_integers(BATCH, bound=3)), loose=frozenset((0,))),
    Case(op=L2Normalize(), inputs=(X,)),
    Case(op=L2Normalize(axis=1, eps=1e-6), inputs=(GRID,)),
    Case(op=L2Normalize(axis=0), inputs=(floats(SRC),)),
]
