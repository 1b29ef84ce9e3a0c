"""Runs the emitted code of a case as ranks do: each on its part of the operands and parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.algebra.dim import Dim
from archspec.ir.op import BUFFERS
from archspec.ir.placement import Copied, Partial, Placement, Shard, Sharding
from archspec.ir.types import DType
from tests.ops.case import Case
from tests.ops.emit_module import FromShapes, layer_of

_ROUNDING = 1e-12


class AsNumbers(FromShapes):
    """Sizes are written as those of the whole; the symbols that they depend on are kept."""

    training = "training"

    def __init__(self, case: Case, operands: Sequence[str]) -> None:
        super().__init__(case, operands)
        self.symbols: set[str] = set()

    def size(self, dim: Dim) -> str:
        self.symbols |= {symbol.name for symbol in dim.symbols()}
        return str(dim.value(self._sizes))

    def shared_size(self, dim: Dim, axis: int) -> str:
        """That of a part where the result is parted along the axis: read off another tensor with the same axis."""
        return f"shared({self.size(dim)}, {axis})"


class AsShapes(AsNumbers):
    """Sizes are read off the operands, so that they may be those of parts."""

    def size(self, dim: Dim) -> str:
        return FromShapes.size(self, dim)


def source_of(case: Case, kind: type[AsNumbers]) -> tuple[str, set[str]]:
    """A function `forward` that holds the emitted code, and the symbols that sizes in it depend on."""
    names = [f"x{number}" for number in range(len(case.inputs))]
    e = kind(case, names)
    parameters = {name: f"p_{name}" for name in case.op.parameters(*case.inputs)}
    results = case.op.emit(e, names, parameters)
    arguments = ", ".join([*names, *parameters.values(), "training", "shared"])
    lines = [*e.lines, f"return ({', '.join(results)},)"]
    return "\n".join([*e.helpers, f"def forward({arguments}):", *(f"    {line}" for line in lines)]), e.symbols


@dataclass(frozen=True)
class Tensors:
    """What one run starts from, or what it gives: gradients in place of operands and parameters, zero where none is."""

    operands: Sequence[Tensor | None]
    parameters: Mapping[str, Tensor]
    results: Sequence[Tensor | None]


@dataclass(frozen=True)
class Way:
    """A sharding over a number of ranks."""

    sharding: Sharding
    ranks: int

    def is_admitted(self, case: Case) -> bool:
        """Whether the ranks divide the outermost factor of every axis that is parted, and every divided attribute."""
        specs = case.op.parameters(*case.inputs)
        named = self.sharding.parameters.items()
        placed = [
            *zip(case.inputs, self.sharding.operands, strict=True),
            *zip(case.outputs, self.sharding.results, strict=True),
            *((specs[name].type, placement) for name, placement in named),
        ]
        parted = [(type_, one) for type_, one in placed if isinstance(one, Shard)]
        outermost = [type_.axes[one.axis].factors[0].value(case.sizes) * one.copies for type_, one in parted]
        return not any(number % self.ranks for number in (*outermost, *self.sharding.attributes.values()))

    def part(self, x: Tensor, placement: Placement, rank: int, terms: Sequence[Tensor]) -> Tensor:
        """What a rank has of a value."""
        if isinstance(placement, Shard):
            return x.chunk(self.ranks // placement.copies, dim=placement.axis)[rank // placement.copies]
        return terms[rank] if isinstance(placement, Partial) else x

    def holds(self, x: Tensor, parts: Sequence[Tensor], placement: Placement) -> bool:
        """Whether ranks have a value as its placement says."""
        if isinstance(placement, Partial):
            return x.is_floating_point() and close(sum(parts), x)
        return all(close(part, self.part(x, placement, rank, ())) for rank, part in enumerate(parts))

    def holds_back(self, x: Tensor, parts: Sequence[Tensor], placement: Placement) -> bool:
        """Whether ranks have a gradient as the placement of the value says."""
        if isinstance(placement, Shard):
            each = [sum(parts[rank : rank + placement.copies]) for rank in range(0, self.ranks, placement.copies)]
            return close(torch.cat(each, dim=placement.axis), x)
        return close(sum(parts), x) if isinstance(placement, Copied) else all(close(part, x) for part in parts)


def close(found: Any, wanted: Tensor) -> bool:
    """Whether two tensors have equal entries but for the rounding of float64."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    if not wanted.is_floating_point():
        return torch.equal(found, wanted)
    scale = float(wanted.abs().max()) if wanted.numel() else 0.0
    return bool((found - wanted).abs().max() <= _ROUNDING * max(1.0, scale)) if wanted.numel() else True


@dataclass(frozen=True, eq=False)
class Trial:
    """One case with random values, run whole and in parts."""

    case: Case
    seed: int
    kind: type[AsNumbers] = AsNumbers
    training: bool = False
    by_layer: bool = False
    _terms: dict[tuple[int, int], list[Tensor]] = field(default_factory=dict)

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @cached_property
    def trained(self) -> frozenset[str]:
        """The parameters that have a gradient."""
        specs = self.case.op.parameters(*self.case.inputs).items()
        return frozenset(name for name, spec in specs if spec.role not in BUFFERS)

    @cached_property
    def whole(self) -> Tensors:
        """Operands, parameters, and what comes back for the results."""
        operands = [torch.tensor(x) for x in self.case.values(self.rng)]
        parameters = {name: torch.tensor(x) for name, x in self.case.parameters(self.rng).items()}
        shapes = [self.case.shape(t) if t.dtype == DType.FLOAT else None for t in self.case.outputs]
        back = [None if shape is None else torch.tensor(self.rng.normal(size=shape)) for shape in shapes]
        return Tensors(operands, parameters, back)

    @cached_property
    def function(self) -> Callable[[Sequence[Tensor], Mapping[str, Tensor], Way | None], Sequence[Tensor]]:
        """What runs: the emitted code, or the layer with other parameters."""
        if self.by_layer:
            return self._layer
        space: dict[str, Any] = {"torch": torch, "Tensor": Tensor, "F": F, "nn": nn, "math": math}
        exec(source_of(self.case, self.kind)[0], space)
        forward = space["forward"]
        return lambda x, p, way: forward(*x, *p.values(), self.training, shared_of(way))

    def _layer(self, operands: Sequence[Tensor], parameters: Mapping[str, Tensor], way: Way | None) -> Sequence[Tensor]:
        layer = layer_of(self.case, {name: x.numpy() for name, x in self.whole.parameters.items()})
        assert layer is not None
        for name, number in (way.sharding.attributes if way else {}).items():
            assert getattr(layer, name) == number
            setattr(layer, name, number // way.ranks)
        return [torch.func.functional_call(layer.train(self.training), dict(parameters), tuple(operands))]

    def outcome(self, start: Tensors, way: Way | None = None) -> Tensors:
        """Results, and the gradients of float operands and of parameters that train."""
        operands = [_leaf(x) for x in start.operands]
        # Statistics are updated in place.
        parameters = {name: _leaf(x) if name in self.trained else x.clone() for name, x in start.parameters.items()}
        results = self.function(operands, parameters, way)
        pairs = zip(results, start.results, strict=True)
        loss = sum((y * back).sum() for y, back in pairs if back is not None and y.requires_grad)
        if isinstance(loss, Tensor):
            loss.backward()
        return Tensors(
            operands=[_gradient(x) for x in operands],
            parameters={name: _gradient(x) for name, x in parameters.items() if name in self.trained},
            results=[y.detach() for y in results],
        )

    @cached_property
    def expected(self) -> Tensors:
        return self.outcome(self.whole)

    def terms(self, x: Tensor, ranks: int) -> list[Tensor]:
        """Random terms of a value, the same at every call."""
        key = (id(x), ranks)
        if not x.is_floating_point():
            return [x] * ranks
        if key not in self._terms:
            some = [torch.tensor(self.rng.normal(size=tuple(x.shape))) for _ in range(ranks - 1)]
            self._terms[key] = [*some, x - sum(some)]
        return self._terms[key]

    def start(self, way: Way, rank: int) -> Tensors:
        """What a rank starts from."""
        sharding, whole = way.sharding, self.whole
        operands = [
            way.part(x, one, rank, self.terms(x, way.ranks) if isinstance(one, Partial) else ())
            for x, one in zip(whole.operands, sharding.operands, strict=True)
        ]
        parameters = {
            name: way.part(x, sharding.parameters.get(name, Copied()), rank, [x, *[x * 0] * (way.ranks - 1)])
            for name, x in whole.parameters.items()
        }
        results = [
            None if x is None else self.back(x, one, way, rank)
            for x, one in zip(whole.results, sharding.results, strict=True)
        ]
        return Tensors(operands, parameters, results)

    def back(self, x: Tensor, placement: Placement, way: Way, rank: int) -> Tensor:
        """What comes back for a result: of a copied one a term, of a term all."""
        if isinstance(placement, Partial):
            return x
        return way.part(x, Partial() if isinstance(placement, Copied) else placement, rank, self.terms(x, way.ranks))

    def ranks(self, way: Way) -> list[Tensors]:
        """What each rank computes."""
        if way.sharding.rows is None:
            return [self.outcome(self.start(way, rank), way) for rank in range(way.ranks)]
        return [self.looked_up(way, rank) for rank in range(way.ranks)]

    def looked_up(self, way: Way, rank: int) -> Tensors:
        """What a rank computes that has some rows of a table: zeros for an id of another rank."""
        rows, start = way.sharding.rows, self.start(way, rank)
        (table,) = start.parameters.values()
        ids = start.operands[rows] - rank * len(table)
        own = ((ids >= 0) & (ids < len(table)))[..., None]
        operands = [ids.clamp(0, len(table) - 1) if k == rows else x for k, x in enumerate(start.operands)]
        found = self.outcome(Tensors(operands, start.parameters, [torch.where(own, start.results[0], 0)]), way)
        return Tensors(found.operands, found.parameters, [torch.where(own, found.results[0], 0)])

    def wrong(self, way: Way) -> str:
        """Where what the ranks have is not what the sharding says; empty if it is."""
        found, expected, sharding = self.ranks(way), self.expected, way.sharding
        for number, (y, placement) in enumerate(zip(expected.results, sharding.results, strict=True)):
            if not way.holds(y, [one.results[number] for one in found], placement):
                return f"result {number} is not {placement}"
        for number, (x, placement) in enumerate(zip(expected.operands, sharding.operands, strict=True)):
            if x is not None and not way.holds_back(x, [one.operands[number] for one in found], placement):
                return f"the gradient of operand {number} is not that of {placement}"
        for name, x in expected.parameters.items():
            placement = sharding.parameters.get(name, Copied())
            if not way.holds_back(x, [one.parameters[name] for one in found], placement):
                return f"the gradient of {name} is not that of {placement}"
        return ""


def trains_otherwise(case: Case) -> bool:
    """Whether the emitted code computes something else in training, and draws nothing at random."""
    source, _ = source_of(case, AsNumbers)
    if source.count("training") == 1:
        return False
    whole = Trial(case, 0).whole
    (plain,) = Trial(case, 0).outcome(whole).results
    found = []
    for seed in range(12):
        torch.manual_seed(seed)
        found += Trial(case, 0, training=True).outcome(whole).results
    return not close(found[0], plain) and all(close(one, found[0]) for one in found)


def shared_of(way: Way | None) -> Callable[[int, int], int]:
    """The size of an axis that is read off another tensor: that of a part, where the result is parted along it."""
    if way is None:
        return lambda size, axis: size
    return lambda size, axis: size // way.ranks if Shard(axis) in way.sharding.results else size


def _leaf(x: Tensor | None) -> Tensor:
    assert x is not None
    return x.detach().clone().requires_grad_() if x.is_floating_point() else x


def _gradient(x: Tensor) -> Tensor | None:
    if not x.is_floating_point():
        return None
    return torch.zeros_like(x) if x.grad is None else x.grad
