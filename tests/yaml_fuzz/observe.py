"""What outputs of a compiled module depend on: inputs are changed place by place, in float64, at several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tests.yaml_fuzz.draft import VOCAB, WIDTH, Draft, Made
from tests.yaml_fuzz.inner import Inner

TOLERANCE = 1e-9
MOST_CHANGES = 40
Arrays = dict[str, NDArray]
Place = tuple[int | None, ...]
"""An index of an input; None where a whole axis (of features, of channels) changes."""


@dataclass
class World:
    """Sizes, and the inputs before any change."""

    sizes: dict[str, int]
    inputs: Arrays


@dataclass
class Change:
    """One input at other values in some places, and what of the outputs moved."""

    world: World
    source: str
    places: tuple[Place, ...]
    after: NDArray
    moved: dict[str, NDArray] = field(default_factory=dict)


@dataclass
class Observed:
    """All changes that were tried; `rows` are those of a whole row of the leading dim."""

    changes: list[Change] = field(default_factory=list)
    rows: list[Change] = field(default_factory=list)
    infinite: int = 0


class Subject:
    """A module in float64 with its outputs' names, and the draft that it is made of."""

    def __init__(self, draft: Draft, module: nn.Module, outputs: Sequence[str]) -> None:
        self.draft, self.module, self.outputs = draft, module.double().eval(), tuple(outputs)
        self.sources = [value for name, value in draft.inputs.items() if name in draft.used]
        self.inner = Inner(draft, self.outputs)

    def fill(self, generator: np.random.Generator) -> None:
        """Parameters large enough that what depends is seen to."""
        with torch.no_grad():
            for name, tensor in self.module.state_dict().items():
                if not tensor.is_floating_point():
                    continue
                noise = torch.from_numpy(np.asarray(generator.standard_normal(tuple(tensor.shape))))
                if name.endswith("running_var"):
                    tensor.copy_(0.5 + noise.abs())
                elif tensor.ndim < 2:
                    tensor.copy_((1 if bool(((tensor - 1).abs() < 0.5).all()) else 0) + 0.4 * noise)
                else:
                    tensor.copy_(1.3 * noise / prod(tensor.shape[1:]) ** 0.5)

    def run(self, inputs: Mapping[str, NDArray]) -> Arrays:
        """The outputs by name."""
        with torch.no_grad():
            found = self.module(
                **{name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()}
            )
        values = (found,) if isinstance(found, torch.Tensor) else found
        return {name: value.detach().numpy() for name, value in zip(self.outputs, values, strict=True)}

    # -- inputs

    def draw(self, sizes: Mapping[str, int], generator: np.random.Generator) -> Arrays:
        """Inputs that keep what they promise."""
        return {value.name: self._one(value, self.shape(value, sizes), generator) for value in self.sources}

    def shape(self, value: Made, sizes: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(eval(axis.text, {"__builtins__": {}}, dict(sizes)) for axis in value.axes)

    def _one(self, value: Made, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray:
        if value.dtype == "float":
            return generator.standard_normal(shape)
        if value.dtype == "bool":
            if value.padding == "any":
                return generator.random(shape) < 0.6
            count = shape[-1]
            lengths = generator.integers(1, count + 1, shape[:-1])[..., None]
            places = np.arange(count)
            return places < lengths if value.padding == "right" else places >= count - lengths
        few = value.bound is None and generator.random() < 0.6
        found = generator.integers(0, 3 if few else bound_of(value), shape)
        return np.sort(found, axis=-1) if value.sorted else found

    def value(self, name: str) -> Made:
        """An input, or an inner value."""
        return self.draft.inputs.get(name) or self.inner.values[name]

    def before(self, world: World, value: Made) -> NDArray:
        """An input, or an inner value, before any change."""
        if value.fed:
            return world.inputs[value.name]
        return self._inner(world, value.name)[1]

    def _inner(self, world: World, name: str, other: NDArray | None = None) -> tuple[Arrays, NDArray]:
        parameters = {key: tensor.numpy() for key, tensor in self.module.state_dict().items()}
        return self.inner.run(world.inputs, parameters, world.sizes, self.inner.held(name), other)

    # -- changes

    def changes(self, world: World, value: Made, generator: np.random.Generator) -> list[Change]:
        """One input, or inner value, changed place by place."""
        before = self.before(world, value)
        if value.padding != "any" or value.sorted:
            found = list(self._promised(world, value, before, generator))
        else:
            found = [
                Change(world, value.name, (place,), after)
                for place in places_of(value, before.shape)
                for after in self._others(value, before, place, generator)
            ]
        if len(found) > MOST_CHANGES:
            chosen = sorted(generator.choice(len(found), MOST_CHANGES, replace=False))
            found = [found[k] for k in chosen]
        return found

    def _others(self, value: Made, before: NDArray, place: Place, generator: np.random.Generator) -> Iterator[NDArray]:
        index = tuple(slice(None) if k is None else k for k in place)
        if value.dtype == "float":
            after = before.copy()
            after[index] += 1.5 * generator.standard_normal(before[index].shape)
            yield after
        elif value.dtype == "bool":
            after = before.copy()
            after[index] = ~after[index]
            yield after
        else:
            for other in range(bound_of(value)):
                if other != before[index]:
                    after = before.copy()
                    after[index] = other
                    yield after

    def _promised(self, world: World, value: Made, before: NDArray, generator: np.random.Generator) -> Iterator[Change]:
        for _ in range(3 * before.shape[-1]):
            other = self._one(value, before.shape, generator)
            row = tuple(int(generator.integers(size)) for size in before.shape[:-1])
            after = before.copy()
            after[row] = other[row]
            if value.sorted and generator.random() < 0.8:
                one = int(generator.integers(before.shape[-1]))
                after[row] = np.sort(np.where(np.arange(before.shape[-1]) == one, after[row], before[row]))
            places = tuple((*row, int(k)) for k in np.flatnonzero(after[row] != before[row]))
            if places:
                yield Change(world, value.name, places, after)

    # -- runs

    def watch(self, world: World, found: Sequence[Change]) -> bool:
        """Note what moved under each of some changes of one input; whether all outputs were finite."""
        inner = found[0].source in self.inner.values
        base = self._inner(world, found[0].source)[0] if inner else self.run(world.inputs)
        if not all(np.isfinite(array).all() for array in base.values()):
            return False
        return self._stacked(world, found, base) or self.one_by_one(found, base)

    def one_by_one(self, found: Sequence[Change], base: Arrays) -> bool:
        finite = True
        for change in found:
            if change.source in self.inner.values:
                outputs = self._inner(change.world, change.source, change.after)[0]
            else:
                outputs = self.run({**change.world.inputs, change.source: change.after})
            change.moved = {name: moved(base[name], outputs[name]) for name in self.outputs}
            finite &= all(bool(np.isfinite(array).all()) for array in outputs.values())
        return finite

    def _stacked(self, world: World, found: Sequence[Change], base: Arrays) -> bool:
        """All changes in one run, as rows of a larger batch; False where rows are not what they are alone."""
        if world.sizes.get("batch") != 1 or len(found) < 2 or not self._leads(found[0].source):
            return False
        count = 1 + len(found)
        inputs = {}
        for value in self.sources:
            array = world.inputs[value.name]
            if value.axes[0].text != "batch":
                inputs[value.name] = array
            elif value.name == found[0].source:
                inputs[value.name] = np.concatenate([array, *(change.after for change in found)])
            else:
                inputs[value.name] = np.repeat(array, count, axis=0)
        outputs = self.run(inputs)
        parts = {}
        for name, array in outputs.items():
            whole = base[name]
            if not whole.ndim or array.shape[0] != count * whole.shape[0] or array.shape[1:] != whole.shape[1:]:
                return False
            parts[name] = array.reshape(count, *whole.shape)
            if moved(whole, parts[name][0]).any() or not np.isfinite(array).all():
                return False
        for k, change in enumerate(found, 1):
            change.moved = {name: moved(base[name], parts[name][k]) for name in self.outputs}
        return True

    def _leads(self, source: str) -> bool:
        return source in self.draft.inputs and self.draft.inputs[source].axes[0].text == "batch"


def bound_of(value: Made) -> int:
    """Integers below this are drawn."""
    return VOCAB + 2 if value.bound is None else value.bound


def moved(before: NDArray, after: NDArray) -> NDArray:
    """Where two arrays differ by more than rounding."""
    if before.dtype.kind != "f":
        return np.asarray(before != after)
    return np.asarray(~(np.abs(after - before) <= TOLERANCE * (1 + np.abs(before))))


def places_of(value: Made, shape: tuple[int, ...]) -> Iterator[Place]:
    features = features_of(value)
    for index in np.ndindex(*(1 if k == features else size for k, size in enumerate(shape))):
        yield tuple(None if k == features else i for k, i in enumerate(index))


def features_of(value: Made) -> int | None:
    """The axis of features, or of channels."""
    if value.dtype != "float":
        return None
    if len(value.axes) == 4 and value.axes[1].constant is not None:
        return 1
    return len(value.axes) - 1 if value.axes[-1].constant == WIDTH else None


def sizes_at(draft: Draft, which: int) -> dict[str, int]:
    """Sizes of all dims: the least ones, middle ones, or the largest; leading dims are 1."""
    found = {}
    for dim in draft.dims.values():
        steps = [size for size in range(dim.least, dim.most + 1) if size % dim.multiple == 0]
        found[dim.name] = 1 if dim.leads else steps[(0, len(steps) // 2, -1)[which]]
    return found


def observe(subject: Subject, generator: np.random.Generator, worlds: int = 5) -> Observed:
    """Change every input, place by place, in some worlds, and some inner value; the first is the smallest."""
    found = Observed()
    inner = _inner_of(subject, generator)
    for number in range(worlds):
        sizes = sizes_at(subject.draft, (0, 2, 1, 2, 1)[number % 5])
        subject.fill(generator)
        world = World(sizes, subject.draw(sizes, generator))
        for value in subject.sources:
            changes = subject.changes(world, value, generator)
            if not changes:
                continue
            if subject.watch(world, changes):
                found.changes += changes
            else:
                found.infinite += 1
        if number in (1, 3) and inner is not None:
            changes = subject.changes(world, inner, generator)
            if changes and subject.watch(world, changes):
                found.changes += changes
        if number in (1, 2):
            found.rows += rows(subject, {**sizes, "batch": 2}, generator)
    return found


def _inner_of(subject: Subject, generator: np.random.Generator) -> Made | None:
    """An inner value to change, of layers rather."""
    known = list(subject.inner.values.values())
    layers = [value for value in known if value.block == "layer"]
    if generator.random() < 0.5 or not known:
        known = layers
    return known[generator.integers(len(known))] if known and generator.random() < 0.7 else None


def rows(subject: Subject, sizes: dict[str, int], generator: np.random.Generator) -> list[Change]:
    """Each input that `batch` leads, with another row 1."""
    world = World(sizes, subject.draw(sizes, generator))
    base = subject.run(world.inputs)
    other = subject.draw(sizes, generator)
    found = []
    for value in subject.sources:
        if value.axes[0].text == "batch":
            after = world.inputs[value.name].copy()
            after[1] = other[value.name][1]
            found.append(Change(world, value.name, ((1, *(None for _ in value.axes[1:])),), after))
    finite = subject.one_by_one(found, base) and all(np.isfinite(array).all() for array in base.values())
    return found if finite else []
