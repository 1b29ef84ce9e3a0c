"""Cases of the ops that drop paths, route tokens and run experts."""

from __future__ import annotations

from archspec.algebra.scalar import Scalar
from archspec.ops.elementwise.clamp import GateClamp
from archspec.ops.elementwise.drop_path import DropPath
from archspec.ops.routing.experts import Experts
from archspec.ops.routing.routing import Groups, Routing
from tests.ops.case import BATCH, LAYER, SRC, Case, factored, floats

# A score that is not chosen is not read.
CHOICE = frozenset((0,))
X = floats(BATCH, SRC, 4)

CASES = [
    Case(op=DropPath(rate=Scalar.of(1) / 4), inputs=(X,)),
    Case(op=DropPath(rate=Scalar.of(LAYER) / 10), inputs=(X,)),
    Case(op=Routing(top_k=2, scores="softmax", normalise=True), inputs=(floats(BATCH, SRC, 5),), loose=CHOICE),
    Case(
        op=Routing(top_k=1, scores="softmax", normalise=False, scale=2.5),
        inputs=(floats(factored(SRC, 2), 3),),
        loose=CHOICE,
    ),
    Case(op=Routing(top_k=3, scores="sigmoid", normalise=True, scale=0.5), inputs=(floats(BATCH, SRC, 4),)),
    Case(op=Routing(top_k=2, scores="sigmoid", normalise=False), inputs=(floats(4),), loose=CHOICE),
    Case(
        op=Routing(top_k=2, scores="sigmoid", normalise=True, scale=2.5, selection_bias=True),
        inputs=(floats(BATCH, SRC, 5),),
        loose=CHOICE,
    ),
    *(
        Case(
            op=Routing(top_k=3, scores=scores, normalise=normalise, selection_bias=bias, groups=Groups(count=3, top=2)),
            inputs=(floats(BATCH, SRC, 6),),
            loose=CHOICE,
        )
        for scores, normalise, bias in (("sigmoid", False, True), ("softmax", True, False))
    ),
    *(
        Case(
            op=Experts(top_k=3, hidden=6, activation="silu", gated=gated, bias=bias), inputs=(X, floats(BATCH, SRC, 3))
        )
        for gated in (False, True)
        for bias in (False, True)
    ),
    *(
        Case(
            op=Experts(top_k=3, hidden=6, activation=act, gated=True, bias=True, clamp=clamp),
            inputs=(X, floats(BATCH, SRC, 3)),
        )
        for act, clamp in (
            ("quick_gelu", GateClamp(limit=1.5, offset=Scalar.of(1))),
            (None, GateClamp(limit=0.75)),
        )
    ),
    Case(op=Experts(top_k=2, hidden=3, activation=None, gated=True), inputs=(floats(SRC, 4), floats(SRC, 2))),
    Case(
        op=Experts(top_k=4, hidden=3, activation="silu", gated=True, bias=True), inputs=(floats(SRC, 3), floats(SRC, 4))
    ),
    Case(
        op=Experts(top_k=2, hidden=3, activation="relu", gated=False, dropout=0.1),
        inputs=(floats(SRC, 4), floats(SRC, 2)),
    ),
]
