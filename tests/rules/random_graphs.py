"""Random graphs over small values: masks with controls, offsets, choices, strides, layers with captured values."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from archspec.algebra.dim import Dim, Symbol, compare
from archspec.algebra.scalar import Scalar
from archspec.ir.builder import Builder
from archspec.ir.graph import Graph, Value
from archspec.ir.repeat import Schedule
from archspec.ir.types import DType, TensorType, axis
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.mask import Mask
from archspec.ops.attention.attention import Attention
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.ops.elementwise.unary import Unary
from archspec.ops.elementwise.where import Where
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.take import Take
from archspec.ops.shape.transpose import Transpose

BATCH, N, M = Symbol("batch", 1, 2, 2), Symbol("n", 2, 4, 6), Symbol("m", 2, 3, 5)
SYMBOLS = (BATCH, N, M)
FEATURES = 2
MOST_POSITIONS = 9


@dataclass
class Pool:
    """Values by what they can be used as: sequences [batch, positions, features] and controls over positions."""

    sequences: list[Value] = field(default_factory=list)
    valid: list[Value] = field(default_factory=list)
    segments: list[Value] = field(default_factory=list)
    lengths: list[Value] = field(default_factory=list)

    def of_length(self, values: list[Value], positions: Dim) -> list[Value]:
        return [v for v in values if v.type.axes[-1 if v.type.dtype is not DType.FLOAT else 1].size == positions]


class Maker:
    """Makes one graph; every choice comes from `r`."""

    def __init__(self, r: random.Random) -> None:
        self.r = r
        self.b = Builder("random")
        self.pool = Pool()
        self.count = 0

    def graph(self) -> Graph:
        self._inputs()
        for _ in range(self.r.randint(3, 7)):
            self._step(self.pool, nested=False)
        last = self.pool.sequences[-1:] + self.r.sample(self.pool.sequences, min(2, len(self.pool.sequences)))
        return self.b.finish({f"out{k}": value for k, value in enumerate(dict.fromkeys(last))})

    def _inputs(self) -> None:
        for symbol in (N, N, M)[: self.r.randint(1, 3)]:
            self._input(DType.FLOAT, BATCH, symbol, FEATURES, to=self.pool.sequences)
            self._controls(symbol)
        if self.r.random() < 0.5:
            self._input(DType.INT64, BATCH, to=self.pool.lengths)

    def _controls(self, symbol: Symbol) -> None:
        axes = (BATCH, symbol) if self.r.random() < 0.8 else (symbol,)
        if self.r.random() < 0.8:
            self._input(DType.BOOL, *axes, to=self.pool.valid)
        for _ in range(self.r.choice((0, 0, 1, 1, 2))):
            ids = self._input(DType.INT64, *axes, to=self.pool.segments)
            compared = Compare(kind=self.r.choice(("==", "!=", "<", "<=", ">", ">=")), number=Scalar.of(1))
            self.pool.valid.append(self.b.add(compared, ids))

    def _input(self, dtype: DType, *axes: Symbol | int, to: list[Value]) -> Value:
        self.count += 1
        to.append(self.b.input(f"{dtype}{self.count}", TensorType.of(dtype, *axes)))
        return to[-1]

    # -- steps

    def _step(self, pool: Pool, nested: bool) -> None:
        x = self.r.choice(pool.sequences[-3:])
        kinds: list[tuple[int, Callable[[Pool, Value], Value]]] = [
            (6, self._attention),
            (2, self._pointwise),
            (2, self._add),
            (3, self._concat),
            (3, self._slice),
            (4, self._choose),
            (2, self._shift),
            (2, self._convolve),
            (1, self._pool),
            (1, self._features),
        ]
        if not nested:
            kinds += [(3, self._repeat), (1, self._call)]
        self._predicate(pool)
        (make,) = self.r.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])
        y = make(pool, x)
        if y.type.shape[1].maximum() <= MOST_POSITIONS:
            pool.sequences.append(y)

    def _predicate(self, pool: Pool) -> None:
        """A new predicate from old ones."""
        if not pool.valid or self.r.random() < 0.6:
            return
        first = self.r.choice(pool.valid)
        if self.r.random() < 0.4:
            pool.valid.append(self.b.add(Logical(kind="not"), first))
        elif self.r.random() < 0.5 and compare(first.type.shape[-1], ">=", 2):
            start = Dim.of(self.r.choice((0, 1)))
            stop = first.type.shape[-1] - (1 - start if self.r.random() < 0.5 else 0)
            pool.valid.append(self.b.add(Slice(axis=first.type.rank - 1, start=start, stop=stop), first))
        else:
            alike = [v for v in pool.valid if v.type.axes == first.type.axes]
            kind = self.r.choice(("and", "or"))
            pool.valid.append(self.b.add(Logical(kind=kind), first, self.r.choice(alike)))

    def _pointwise(self, pool: Pool, x: Value) -> Value:
        if self.r.random() < 0.5:
            return self.b.add(Unary(kind="exp"), x)
        return self.b.add(LayerNorm(eps=1e-5, weight=False, bias=False), x)

    def _add(self, pool: Pool, x: Value) -> Value:
        alike = [v for v in pool.sequences if v.type.shape == x.type.shape]
        return self.b.add(Binary(kind="add"), x, self.r.choice(alike))

    def _concat(self, pool: Pool, x: Value) -> Value:
        other = self.r.choice(pool.sequences)
        pair = [x, other] if self.r.random() < 0.5 else [other, x]
        return self.b.add(Concat(axis=1), *pair)

    def _slice(self, pool: Pool, x: Value) -> Value:
        size = x.type.shape[1]
        least = size.minimum()
        if least < 2:
            return self._pointwise(pool, x)
        start = self.r.randint(0, min(2, least - 1))
        if self.r.random() < 0.5:
            stop = size - self.r.randint(0, min(2, least - 1 - start))
        else:
            stop = Dim.of(self.r.randint(start + 1, least))
        y = self.b.add(Slice(axis=1, start=Dim.of(start), stop=stop), x)
        if self.r.random() < 0.3:
            # A slice that is empty at all sizes is refused.
            before = [self.b.add(Slice(axis=1, start=Dim.of(0), stop=Dim.of(start)), x)] if start else []
            after = [] if stop == size else [self.b.add(Slice(axis=1, start=stop), x)]
            parts = (*before, y, *after)
            y = self.b.add(Concat(axis=1), *parts) if len(parts) > 1 else y
        return y

    def _shift(self, pool: Pool, x: Value) -> Value:
        """One position later or earlier, what falls over one end put to the other."""
        if x.type.shape[1].minimum() < 2:
            return self._pointwise(pool, x)
        at = Dim.of(1) if self.r.random() < 0.5 else x.type.shape[1] - 1
        parts = [Slice(axis=1, start=at), Slice(axis=1, start=Dim.of(0), stop=at)]
        return self.b.add(Concat(axis=1), *(self.b.add(part, x) for part in parts))

    def _choose(self, pool: Pool, x: Value) -> Value:
        """`where(valid, x, y)`, over one feature."""
        valid = pool.of_length(pool.valid, x.type.shape[1])
        if not valid:
            return self._add(pool, x)
        alike = [v for v in pool.sequences if v.type.shape == x.type.shape]
        sides = [self.b.add(Take(axis=2, index=self.r.randint(0, 1)), v) for v in (x, self.r.choice(alike))]
        chosen = self.b.add(Where(), self.r.choice(valid), *sides)
        column = self.b.add(Split(axis=1, sizes=(x.type.axes[1], axis(1))), chosen)
        return self._linear(column)

    def _convolve(self, pool: Pool, x: Value) -> Value:
        kernel, stride, padding = self.r.randint(1, 3), self.r.choice((1, 1, 2)), self.r.randint(0, 2)
        dilation = self.r.choice((1, 1, 2))
        if x.type.shape[1].minimum() + 2 * padding < dilation * (kernel - 1) + 1:
            return self._pointwise(pool, x)
        op = Convolution(
            channels=Dim.of(FEATURES),
            kernel=(kernel,),
            stride=(stride,),
            padding=(padding,),
            dilation=(dilation,),
            groups=self.r.choice((1, 2)),
            bias=False,
        )
        y = self.b.add(op, self.b.add(Transpose(order=(0, 2, 1)), x), name=self._name())
        return self.b.add(Transpose(order=(0, 2, 1)), y)

    def _pool(self, pool: Pool, x: Value) -> Value:
        valid = [v for v in pool.of_length(pool.valid, x.type.shape[1]) if v.type.rank == 2]
        if valid and self.r.random() < 0.7:
            y = self.b.add(MaskedPool(kind="mean"), x, self.r.choice(valid))
        elif self.r.random() < 0.5:
            y = self.b.add(Take(axis=1, index=self.r.choice((0, -1))), x)
        else:
            y = self.b.add(Reduce(kind="sum", axes=(1,)), x)
        return self.b.add(Split(axis=1, sizes=(axis(1), axis(FEATURES))), y)

    def _features(self, pool: Pool, x: Value) -> Value:
        """Features of two values side by side, then some of them."""
        alike = [v for v in pool.sequences if v.type.shape == x.type.shape]
        wide = self.b.add(Concat(axis=2), x, self.r.choice(alike))
        start = self.r.randint(0, FEATURES)
        return self.b.add(Slice(axis=2, start=Dim.of(start), stop=Dim.of(start + FEATURES)), wide)

    def _linear(self, x: Value) -> Value:
        return self.b.add(Linear(out=axis(FEATURES), bias=False), x, name=self._name())

    def _name(self) -> str:
        self.count += 1
        return f"p{self.count}"

    # -- attention

    def _attention(self, pool: Pool, x: Value) -> Value:
        memory = x if self.r.random() < 0.7 else self.r.choice(pool.sequences)
        mask, controls = self.mask(pool, x, memory)
        q, k, v = (self._heads(value) for value in (x, memory, memory))
        y = self.b.add(Attention(mask=mask), q, k, v, *controls)
        y = self.b.add(Take(axis=1, index=0), y)
        return self.b.add(Binary(kind="add"), x, y) if self.r.random() < 0.6 else y

    def _heads(self, x: Value) -> Value:
        return self.b.add(Split(axis=0, sizes=(x.type.axes[0], axis(1))), x)

    def mask(self, pool: Pool, queries: Value, keys: Value) -> tuple[Mask, list[Value]]:
        """A random mask with its controls."""
        controls: list[Value] = []
        atoms = [self._mask_atom(pool, queries, keys, controls) for _ in range(self.r.choice((1, 1, 2, 3)))]
        mask = atoms[0]
        for atom in atoms[1:]:
            mask = mask & atom if self.r.random() < 0.6 else mask | atom
        return mask, controls

    def _mask_atom(self, pool: Pool, queries: Value, keys: Value, controls: list[Value]) -> Mask:
        size = keys.type.shape[1]
        choices: list[Callable[[], Mask]] = [
            All,
            lambda: Prefix(length=Dim.of(self.r.randint(0, max(0, size.minimum())))),
        ]
        for values, make in ((pool.valid, KeyValid), (pool.segments, SameSegment)):
            fitting = pool.of_length(values, size)
            if fitting and (make is KeyValid or size == queries.type.shape[1]):
                choices += [
                    lambda fitting=fitting, make=make: make(self._control(self.r.choice(fitting), controls))
                ] * 3
        if pool.lengths:
            choices += [lambda: Prefix(control=self._control(self.r.choice(pool.lengths), controls))] * 2
        if size == queries.type.shape[1]:
            choices += [Causal, Causal, lambda: Last(Dim.of(self.r.randint(1, 3))), lambda: Within(Dim.of(1))]
        return self.r.choice(choices)()

    @staticmethod
    def _control(value: Value, controls: list[Value]) -> int:
        if value not in controls:
            controls.append(value)
        return controls.index(value)

    # -- regions

    def _repeat(self, pool: Pool, x: Value) -> Value:
        kinds = self.r.choice((1, 1, 2))
        repeat = tuple(self.r.randrange(kinds) for _ in range(self.r.choice((1, 2))))
        start = tuple(self.r.randrange(kinds) for _ in range(self.r.choice((0, 0, 1))))
        schedule = Schedule(start=start, repeat=repeat, times=self.r.randint(1, 4), end=start[::-1])
        bodies = [self._body(pool, x) for _ in range(kinds)]
        return self.b.repeat(self._name(), ("Layer",) * kinds, bodies, schedule, x)

    def _body(self, pool: Pool, x: Value) -> Callable[[Value], Value]:
        def body(h: Value) -> Value:
            inner = Pool(
                sequences=[*pool.sequences[-2:], h],
                valid=pool.valid[:],
                segments=pool.segments,
                lengths=pool.lengths,
            )
            for _ in range(self.r.randint(1, 3)):
                self._step(inner, nested=True)
            alike = [v for v in inner.sequences[::-1] if v.type.shape == x.type.shape]
            return alike[0] if self.r.random() < 0.9 else h

        return body

    def _call(self, pool: Pool, x: Value) -> Value:
        body = self._body(pool, x)
        (y,) = self.b.call(self._name(), "Module", body, {"h": x})
        return y


def random_graph(seed: int) -> Graph:
    return Maker(random.Random(seed)).graph()


def random_sizes(r: random.Random) -> dict[str, int]:
    return {symbol.name: r.randint(symbol.min, symbol.max) for symbol in SYMBOLS}
