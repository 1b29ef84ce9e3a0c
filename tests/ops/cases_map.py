"""Cases of the ops on maps."""

from __future__ import annotations

from archspec.ops.convolution.pad import Pad
from archspec.ops.convolution.window_pool import WindowPool
from archspec.ops.norm.batch_norm import BatchNorm
from archspec.ops.norm.group_norm import GroupNorm
from tests.ops.case import BATCH, HEIGHT, SRC, TGT, Case, factored, floats

SIGNAL = floats(BATCH, 3, TGT)
MAP = floats(BATCH, 2, HEIGHT, TGT)
FIRST = frozenset((0,))


def pool(kind, kernel, stride, padding, *inputs):
    """A case of a pool with the same numbers along each axis of space."""
    space = inputs[0].rank - 2
    op = WindowPool(kind=kind, kernel=(kernel,) * space, stride=(stride,) * space, padding=(padding,) * space)
    return Case(op=op, inputs=inputs)


CASES = [
    *(
        Case(op=BatchNorm(weight=weight, bias=bias), inputs=(x,))
        for x in (SIGNAL, MAP)
        for weight, bias in ((True, True), (True, False), (False, False))
    ),
    Case(op=BatchNorm(unit_offset=True), inputs=(MAP,)),
    *(Case(op=GroupNorm(groups=1, unit_offset=True, bias=on), inputs=(MAP,)) for on in (True, False)),
    Case(op=BatchNorm(eps=1e-3), inputs=(floats(BATCH, 4),)),
    Case(op=GroupNorm(groups=1), inputs=(SIGNAL,)),
    Case(op=GroupNorm(groups=2, eps=1e-6), inputs=(floats(BATCH, 4, HEIGHT, SRC),), loose=FIRST),
    Case(op=GroupNorm(groups=1, weight=False), inputs=(MAP,)),
    Case(op=GroupNorm(groups=1, bias=False), inputs=(MAP,)),
    pool("max", 3, 1, 1, SIGNAL),
    pool("max", 2, 2, 0, MAP),
    pool("max", 3, 2, 1, MAP),
    pool("mean", 2, 2, 0, MAP),
    pool("mean", 3, 2, 1, SIGNAL),
    Case(op=WindowPool(kind="mean", kernel=(2, 1), stride=(1, 2), padding=(1, 0)), inputs=(MAP,)),
    Case(
        op=WindowPool(kind="mean", kernel=(2,), stride=(2,), padding=(0,)),
        inputs=(floats(1, 2, factored(2, 2)),),
        loose=FIRST,
    ),
    Case(op=Pad(before=(1, 0), after=(0, 2)), inputs=(MAP,)),
    Case(op=Pad(before=(1, 2), after=(1, 1), circular=True), inputs=(MAP,)),
    Case(op=Pad(before=(1,), after=(0,), circular=True), inputs=(SIGNAL,)),
    Case(op=Pad(before=(1,), after=(0,)), inputs=(floats(1, 2, factored(2, 2)),), loose=FIRST),
]
