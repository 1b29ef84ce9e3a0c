"""Random graphs over positions: decoders of all kinds, and the same with one node that bars decoding in steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.builder import Builder
from archspec.ir.graph import Graph, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Schedule
from archspec.ir.types import DType, TensorType, axis
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.mask import Mask
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.unnormalised_attention import UnnormalisedAttention
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.select import Select
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.position.alibi import Alibi
from archspec.ops.position.counted_positions import CountedPositions
from archspec.ops.position.learned_positions import LearnedPositions
from archspec.ops.position.relative_buckets import RelativeBuckets
from archspec.ops.position.rotary import Rotary
from archspec.ops.position.rotary_table import RotaryTable
from archspec.ops.position.sinusoidal import SinusoidalPositions
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.broadcast_axis import BroadcastAxis
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.shift import Shift
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose

BATCH, LENGTH, SRC = Symbol("batch", 1, 2, 4), Symbol("length", 2, 5, 12), Symbol("src", 1, 3, 6)
HEADS, SIZE = 2, 4
WIDTH = HEADS * SIZE
Body = Callable[[Value], Value]


class Random:
    """One random graph; `barring` is the name of a node that bars steps, where one was to be built."""

    def __init__(self, seed: int, *, barred: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = Builder("random")
        x = self.b.input("x", TensorType.of(DType.FLOAT, BATCH, LENGTH, WIDTH))
        self.valid = self.b.input("valid", TensorType.of(DType.BOOL, BATCH, LENGTH))
        self.parts = self.b.input("parts", TensorType.of(DType.INT64, BATCH, LENGTH, bound=Dim.of(2)))
        self.memory = self.b.input("memory", TensorType.of(DType.FLOAT, BATCH, SRC, WIDTH))
        self.seen = self.b.input("seen", TensorType.of(DType.BOOL, BATCH, SRC))
        self.count = 0
        steps = int(self.rng.integers(2, 7))
        at = int(self.rng.integers(steps)) if barred else -1
        for number in range(steps):
            x = self.bar(x) if number == at else self.step(x, depth=0)
        self.graph: Graph = self.b.finish({"y": x})

    def chosen(self, *options: object) -> object:
        return options[int(self.rng.integers(len(options)))]

    def name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def step(self, x: Value, depth: int) -> Value:
        """Something that a decoder may do."""
        kinds = [self.attention, self.attention, self.cross, self.plain, self.position, self.gated, self.parted]
        kinds += [self.lagged, self.mixed, self.counted]
        kinds += [self.call, self.repeat] if depth < 2 else []
        found = kinds[int(self.rng.integers(len(kinds)))]
        return found(x, depth)

    def bar(self, x: Value) -> Value:
        """Something that no decoder may do."""
        bars = [self.sees_all, self.sees_ahead, self.scaled, self.shifted, self.averaged]
        return bars[int(self.rng.integers(len(bars)))](x)

    # -- what has a step

    def linear(self, x: Value, width: int = WIDTH) -> Value:
        return self.b.add(Linear(out=axis(width)), x, name=self.name())

    def plain(self, x: Value, depth: int) -> Value:
        norm = self.b.add(RMSNorm(), x, name=self.name())
        return self.b.add(Binary(kind="add"), x, self.b.add(Activation(kind="silu"), self.linear(norm)))

    def gated(self, x: Value, depth: int) -> Value:
        return self.b.add(Select(number=Scalar.of(0)), self.valid, self.linear(x))

    def position(self, x: Value, depth: int) -> Value:
        op = self.chosen(LearnedPositions(rows=Dim.of(20), offset=2), SinusoidalPositions())
        assert isinstance(op, Primitive)
        return self.b.add(Binary(kind="add"), x, self.b.add(op, x, name=self.name()))

    def lagged(self, x: Value, depth: int) -> Value:
        """Each position takes the one before it."""
        fill = self.chosen(Scalar.of(0), Scalar.of(2))
        assert isinstance(fill, Scalar)
        return self.b.add(Binary(kind="add"), x, self.b.add(Shift(axis=1, by=Dim.of(1), fill=fill), x))

    def mixed(self, x: Value, depth: int) -> Value:
        """A convolution that reads no later position."""
        kernel, dilation, groups = (int(self.rng.integers(low, high)) for low, high in ((1, 4), (1, 3), (1, 3)))
        op = Convolution(
            channels=Dim.of(WIDTH),
            kernel=(kernel,),
            stride=(1,),
            padding=(0,),
            dilation=(dilation,),
            groups=groups,
            causal=True,
        )
        turned = self.b.add(Transpose(order=(0, 2, 1)), x)
        made = self.b.add(Transpose(order=(0, 2, 1)), self.b.add(op, turned, name=self.name()))
        return self.b.add(Binary(kind="add"), x, made)

    def counted(self, x: Value, depth: int) -> Value:
        """A vector for the number of valid positions before each."""
        op = CountedPositions(rows=Dim.of(20), features=axis(WIDTH), offset=int(self.rng.integers(3)))
        return self.b.add(Binary(kind="add"), x, self.b.add(op, self.valid, name=self.name()))

    def parted(self, x: Value, depth: int) -> Value:
        """The halves of the features, changed over and joined again."""
        half = WIDTH // 2
        first, second = (
            self.b.add(Slice(axis=-1, start=Dim.of(start), stop=Dim.of(start + half)), x) for start in (0, half)
        )
        return self.linear(self.b.add(Concat(axis=2), second, first))

    def call(self, x: Value, depth: int) -> Value:
        return self.b.call(self.name(), "Inner", lambda y: self.step(y, depth + 1), {"x": x})[0]

    def repeat(self, x: Value, depth: int) -> Value:
        bodies: list[Body] = [lambda y: self.step(y, depth + 1) for _ in range(int(self.rng.integers(1, 3)))]
        order = tuple(range(len(bodies)))
        schedule = Schedule(repeat=order, times=int(self.rng.integers(1, 3)), end=order[:1])
        return self.b.repeat(self.name(), [f"Kind{n}" for n in order], bodies, schedule, x)

    def heads(self, x: Value, heads: int = HEADS) -> Value:
        split = self.b.add(Split(axis=2, sizes=(axis(heads), axis(SIZE))), self.linear(x, heads * SIZE))
        return self.b.add(Transpose(order=(0, 2, 1, 3)), split)

    def attention(self, x: Value, depth: int) -> Value:
        mask, controls = self.mask()
        heads = int(self.rng.integers(1, HEADS + 1))
        q, k, v = self.heads(x), self.heads(x, heads), self.heads(x, heads)
        if self.rng.random() < 0.4:
            table = self.b.add(RotaryTable(size=SIZE), x)
            q, k = (self.b.add(Rotary(layout="half"), one, table) for one in (q, k))
        if heads == 1 and self.rng.random() < 0.5:
            k, v = (self.b.add(BroadcastAxis(axis=1, size=axis(HEADS)), one) for one in (k, v))
        return self.attend(mask, q, k, v, *self.bias(q, k), *controls)

    def bias(self, q: Value, k: Value) -> tuple[Value, ...]:
        buckets = RelativeBuckets(heads=HEADS, buckets=4, max_distance=5, bidirectional=False)
        op = self.chosen(None, None, Alibi(heads=HEADS), buckets)
        return (self.b.add(op, q, k, name=self.name()),) if isinstance(op, Primitive) else ()

    def mask(self) -> tuple[Mask, tuple[Value, ...]]:
        near = (Causal(), Last(Dim.of(2)), Last(Dim.of(4)), Causal() & Within(Dim.of(1)))
        mask = self.chosen(*near)
        assert isinstance(mask, Mask)
        kind = int(self.rng.integers(4))
        if kind == 0:
            return mask & KeyValid(0), (self.valid,)
        if kind == 1:
            return mask & SameSegment(0), (self.parts,)
        return mask, ()

    def attend(self, mask: Mask, q: Value, k: Value, v: Value, *more: Value) -> Value:
        bias = bool(more) and more[0].type.dtype is DType.FLOAT
        op = self.chosen(
            Attention(mask=mask, bias=bias),
            Attention(mask=mask, bias=bias, sink="zero"),
            UnnormalisedAttention(kind="sigmoid", mask=mask, bias=bias),
        )
        assert isinstance(op, Primitive)
        y = self.b.add(Transpose(order=(0, 2, 1, 3)), self.b.add(op, q, k, v, *more, name=self.name()))
        return self.linear(self.b.add(Merge(axis=2), y))

    def cross(self, x: Value, depth: int) -> Value:
        """Attention to the memory, which no step changes."""
        memory = self.plain(self.memory, depth) if self.rng.random() < 0.5 else self.memory
        return self.attend(KeyValid(0), self.heads(x), self.heads(memory), self.heads(memory), self.seen)

    # -- what has none

    def sees_all(self, x: Value) -> Value:
        return self.attend(All(), self.heads(x), self.heads(x), self.heads(x))

    def sees_ahead(self, x: Value) -> Value:
        return self.attend(Within(Dim.of(1)), self.heads(x), self.heads(x), self.heads(x))

    def scaled(self, x: Value) -> Value:
        return self.b.add(WithNumber(kind="multiply", number=Scalar.of(1) / Scalar.of(Dim.of(LENGTH))), x)

    def shifted(self, x: Value) -> Value:
        return self.b.add(Shift(axis=1, by=Dim.of(-1), fill=Scalar.of(0)), x)

    def averaged(self, x: Value) -> Value:
        mean = self.b.add(Split(axis=1, sizes=(axis(1), axis(WIDTH))), self.b.add(Reduce(kind="mean", axes=(1,)), x))
        return self.b.add(Binary(kind="add"), x, mean)
