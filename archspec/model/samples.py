"""Seeded inputs that keep every promise: the one generator for parity, contract and timing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from archspec.analyses.memory import require_inputs
from archspec.ir.types import DType
from archspec.model.ports import Ports, Promised, shape_at
from archspec.model.runner import Array
from archspec.model.sizes import leading
from archspec.spec.indexed import fitting

Sizes = Mapping[str, int]

OPEN = "open"
"""Nothing is hidden, all positions are in one segment, and prefixes are full: the inputs for lower rules."""
_PATTERNS = {
    "any": ("whole", "right", "left", "scattered", "empty row"),
    "right": ("whole", "right"),
    "left": ("whole", "left"),
}


def patterns(declared: Ports) -> tuple[str, ...]:
    """The arrangements of true values in bool inputs that some input admits."""
    admitted = {name for one in declared.inputs.values() if is_mask(one) for name in _PATTERNS[one.padding]}
    return tuple(name for name in _PATTERNS["any"] if name in admitted) or ("whole",)


def is_mask(given: Promised) -> bool:
    """Whether an input is bool and has a position axis."""
    return given.type.dtype is DType.BOOL and given.type.rank > 1


def sample(declared: Ports, sizes: Sizes, seed: int) -> dict[str, Array]:
    """Inputs for one comparison, with as much padding as the promises admit.

    Where nothing is promised and there are more than two rows, the first is all false: runtimes differ in an attention
    row without keys. Raises SpecError E504 for inputs that do not fit in memory.
    """
    pattern = patterns(declared)[-1]
    few = all(shape_at(given, sizes)[0] <= 2 for given in declared.inputs.values() if is_mask(given))
    return generate(declared, sizes, "scattered" if few and pattern == "empty row" else pattern, seed)


def generate(declared: Ports, sizes: Sizes, pattern: str, seed: int, hides: Collection[str] = ()) -> dict[str, Array]:
    """Generate all inputs.

    Args:
        declared: dims, and inputs with their promises.
        sizes: the size of every dim.
        pattern: one of `patterns`, or OPEN. An input that does not admit it has the last one that it admits.
        seed: of all values.
        hides: bool inputs without a default that hide something where they are true; OPEN leaves these false.

    Returns:
        inputs by name: floats standard normal in float32, integers below their bound, bools by the pattern.

    Raises:
        SpecError: E504 for inputs that no memory holds.
    """
    # Before anything is drawn: an allocation that fails may end the process without a message.
    require_inputs({name: given.type for name, given in declared.inputs.items()}, sizes)
    generator = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for name, given in declared.inputs.items():
        if pattern == OPEN and given.type.dtype is DType.BOOL:
            made[name] = np.full(shape_at(given, sizes), _open_bool(given, hides))
        else:
            made[name] = draw(declared, given, sizes, pattern, generator)
    return made


def draw(declared: Ports, given: Promised, sizes: Sizes, pattern: str, generator: np.random.Generator) -> Array:
    """One random input that keeps its promises, of the shape that the sizes give."""
    shape = shape_at(given, sizes)
    if given.type.dtype is DType.FLOAT:
        return generator.standard_normal(shape, dtype=np.float32)
    if given.type.dtype is DType.BOOL:
        admitted = _PATTERNS[given.padding]
        return bools(shape, pattern if pattern in admitted else admitted[-1], generator)
    low, high = bounds(declared, given, sizes)
    if pattern == OPEN:
        low = _opened(given, low, high)
        high = low + 1 if given.type.bound is None else high
    values = generator.integers(low, high, shape, dtype=given.type.dtype.value)
    return np.sort(values, axis=-1) if given.sorted else values


def bounds(declared: Ports, given: Promised, sizes: Sizes) -> tuple[int, int]:
    """The least value of an integer input, and one more than its largest.

    Without a declared bound, an input over leading axes only counts positions, and any other numbers segments; where it
    indexes a table or positions, it stays inside.
    """
    if given.type.bound is not None:
        return 0, given.type.bound.value(sizes)
    most = 3
    if given.type.rank <= 1:
        first = {symbol.name for symbol in leading(declared)}
        most = 1 + min((size for name, size in sizes.items() if name not in first), default=2)
    return 0, fitting(declared.indexed.get(given.name, ()), sizes, most)


def bools(shape: tuple[int, ...], pattern: str, generator: np.random.Generator) -> Array:
    """True values arranged by a pattern along the last axis; `empty row` leaves the first row without any.

    Of several padded rows one has a single true value, and another one has no padding.
    """
    if len(shape) < 2:
        return generator.random(shape) < 0.5
    count = shape[-1]
    if pattern in ("right", "left"):
        lengths = _lengths(shape, generator)[..., None]
        positions = np.arange(count)
        made: Array = positions < lengths if pattern == "right" else positions >= count - lengths
        return made
    if pattern == "whole":
        return np.ones(shape, dtype=bool)
    values = generator.random(shape) < 0.6
    if pattern == "empty row":
        values[0] = False
    return values


def _lengths(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """The number of true values of each row: 1 in some row, all in another, where there are at least two rows."""
    rows, count = shape[0], shape[-1]
    lengths = generator.integers(1, max(2, count), shape[:-1])
    shortest, *others = generator.permutation(rows) if rows else [0]
    if rows > 1:
        # With several rows, the shortest and the longest row are always present.
        lengths[shortest] = 1
        lengths[others[0]] = count
    return lengths


def _open_bool(given: Promised, hides: Collection[str]) -> bool:
    """The value of a bool input that hides nothing: its default, or else true where true hides nothing."""
    if given.default is not None:
        return bool(given.default)
    return given.name not in hides


def _opened(given: Promised, low: int, high: int) -> int:
    """The least value of an integer input that hides nothing."""
    if given.type.bound is not None:
        # Zero is what most vocabularies pad with.
        return min(low + 1, high - 1)
    return low if given.type.rank > 1 else high - 1
