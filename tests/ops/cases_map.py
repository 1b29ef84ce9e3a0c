"""Cases of the ops on maps."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.ops.convolution.conv_transpose import ConvTranspose
from archspec.ops.convolution.pad import Pad
from archspec.ops.convolution.resize import Resize
from archspec.ops.convolution.window_pool import WindowPool
from archspec.ops.norm.batch_norm import BatchNorm
from archspec.ops.norm.group_norm import GroupNorm
from tests.ops.case import BATCH, HEIGHT, SRC, TGT, Case, factored, floats

SIGNAL = floats(BATCH, 3, TGT)
MAP = floats(BATCH, 2, HEIGHT, TGT)
FIRST = frozenset((0,))


def pool(kind, kernel, stride, padding, *inputs):
    """A case of a pool with the same numbers along each spatial axis."""
    space = inputs[0].rank - 2
    op = WindowPool(kind=kind, kernel=(kernel,) * space, stride=(stride,) * space, padding=(padding,) * space)
    return Case(op=op, inputs=inputs)


def resize(mode, sizes, *inputs, loose=frozenset()):
    """A case of a resize."""
    return Case(op=Resize(mode=mode, sizes=tuple(Dim.of(size) for size in sizes)), inputs=inputs, loose=loose)


def transposed(channels, kernel, stride, padding, more, *inputs, **options):
    """A case of a transposed convolution."""
    op = ConvTranspose(channels=Dim.of(channels), kernel=kernel, stride=stride, padding=padding, more=more, **options)
    return Case(op=op, inputs=inputs)


LENGTH = Dim.of(TGT)
# One row and one channel: what is tried is space, and each position takes a run.
LINE = floats(1, 1, 6)
STRIP = floats(1, 1, TGT, 3)

CASES = [
    *(resize(mode, (LENGTH * 2,), SIGNAL) for mode in ("nearest", "linear")),
    *(resize(mode, (Dim.of(HEIGHT) // 2, LENGTH), MAP) for mode in ("nearest", "linear", "cubic")),
    *(resize(mode, (LENGTH * 2, LENGTH), MAP, loose=FIRST) for mode in ("nearest", "linear")),
    *(resize(mode, (size,), LINE) for mode in ("nearest", "linear") for size in (4, 9, 12)),
    # Both numbers of the ratio are odd: the neighbours of some positions have weight 0.
    resize("nearest", (10,), LINE),
    resize("linear", (10,), LINE, loose=FIRST),
    resize("linear", (2,), LINE, loose=FIRST),
    *(resize("cubic", (LENGTH * 4, size), STRIP, loose=FIRST if size == 5 else frozenset()) for size in (2, 5, 6)),
    resize("linear", (3, 8), floats(1, 2, 3, factored(2, 2)), loose=FIRST),
    resize("nearest", (3, 4), floats(1, 2, 3, factored(2, 2))),
    resize("cubic", (12, 4), floats(1, 1, 6, 2)),
    # Ends that no tap leaves, ends that one does, and results that no tap reaches.
    *(transposed(1, (kernel,), (2,), (cut,), (0,), LINE) for kernel, cut in ((1, 0), (2, 0), (4, 1), (6, 1), (4, 2))),
    transposed(1, (3,), (2,), (1,), (1,), LINE),
    transposed(1, (4,), (3,), (0,), (2,), LINE),
    transposed(4, (3,), (1,), (0,), (0,), SIGNAL),
    transposed(4, (2,), (2,), (0,), (0,), SIGNAL, bias=False),
    transposed(2, (3,), (2,), (1,), (1,), SIGNAL),
    transposed(4, (3, 2), (2, 1), (1, 0), (1, 0), MAP),
    transposed(4, (1, 2), (2, 3), (0, 0), (0, 2), MAP, groups=2),
    transposed(2, (2, 2), (2, 2), (0, 0), (0, 0), floats(1, 4, 2, 3), groups=2),
    transposed(4, (1, 2), (2, 2), (0, 0), (0, 0), floats(BATCH, 4, 2, SRC), groups=4, bias=False),
    *(
        Case(op=BatchNorm(weight=weight, bias=bias), inputs=(x,))
        for x in (SIGNAL, MAP)
        for weight, bias in ((True, True), (True, False), (False, False))
    ),
    Case(op=BatchNorm(unit_offset=True), inputs=(MAP,)),
    *(Case(op=BatchNorm(frozen=True, weight=on, bias=on), inputs=(MAP,)) for on in (True, False)),
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
