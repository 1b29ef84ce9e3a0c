"""Seeded inputs that keep every promise of the claims."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.analyses.memory import require_inputs
from archspec.contract.protocol import Array
from archspec.contract.sizes import leading
from archspec.ir.types import DType
from archspec.spec import InputSpec
from archspec.spec.claims import Claims

Sizes = Mapping[str, int]

OPEN = "open"
"""Nothing hidden, one segment, prefixes full: how lower rules are judged."""
_PATTERNS = {
    "any": ("whole", "right", "left", "scattered", "empty row"),
    "right": ("whole", "right"),
    "left": ("whole", "left"),
}


def patterns(claims: Claims) -> tuple[str, ...]:
    """The ways in which true values of bool inputs may stand that some input admits."""
    admitted = {name for one in claims.inputs.values() if is_mask(one) for name in _PATTERNS[one.padding]}
    return tuple(name for name in _PATTERNS["any"] if name in admitted) or ("whole",)


def is_mask(given: InputSpec) -> bool:
    """Whether an input is bool over positions."""
    return given.type.dtype is DType.BOOL and given.type.rank > 1


def generate(claims: Claims, sizes: Sizes, pattern: str, seed: int) -> dict[str, Array]:
    """Inputs by name: floats standard normal in float32, integers below their bound, bools by the pattern.

    An input that does not admit the pattern has the last one that it admits. Raises SpecError E504 for inputs that no
    memory holds.
    """
    require_inputs({name: given.type for name, given in claims.inputs.items()}, sizes)
    generator = np.random.default_rng(seed)
    return {name: draw(claims, given, sizes, pattern, generator) for name, given in claims.inputs.items()}


def draw(claims: Claims, given: InputSpec, sizes: Sizes, pattern: str, generator: np.random.Generator) -> Array:
    """One input."""
    shape = tuple(dim.value(sizes) for dim in given.type.shape)
    if given.type.dtype is DType.FLOAT:
        return generator.standard_normal(shape, dtype=np.float32)
    if given.type.dtype is DType.BOOL:
        admitted = _PATTERNS[given.padding]
        if pattern == OPEN:
            return np.full(shape, _hides_nothing(claims, given))
        return bools(shape, pattern if pattern in admitted else admitted[-1], generator)
    low, high = bounds(claims, given, sizes)
    if pattern == OPEN:
        low = _opened(given, low, high)
        high = low + 1 if given.type.bound is None else high
    values = generator.integers(low, high, shape, dtype=given.type.dtype.value)
    return np.sort(values, axis=-1) if given.sorted else values


def bounds(claims: Claims, given: InputSpec, sizes: Sizes) -> tuple[int, int]:
    """The least value of an integer input, and the one after its largest.

    Without a bound, one over leading axes alone counts positions, and any other numbers segments.
    """
    if given.type.bound is not None:
        return 0, given.type.bound.value(sizes)
    if given.type.rank > 1:
        return 0, 3
    first = {symbol.name for symbol in leading(claims)}
    return 0, 1 + min((size for name, size in sizes.items() if name not in first), default=2)


def _hides_nothing(claims: Claims, given: InputSpec) -> bool:
    """The value of a bool input that hides nothing: its default, or else true where no rule says that true hides."""
    if given.default is not None:
        return bool(given.default)
    return not any(rule.where is not None and rule.where.name == given.name for rule in claims.rules)


def _opened(given: InputSpec, low: int, high: int) -> int:
    if given.type.bound is not None:
        # Zero is what most vocabularies pad with.
        return min(low + 1, high - 1)
    return low if given.type.rank > 1 else high - 1


def bools(shape: tuple[int, ...], pattern: str, generator: np.random.Generator) -> Array:
    """True values by a pattern along the last axis; `empty row` leaves none in the first row."""
    if len(shape) < 2:
        return generator.random(shape) < 0.5
    count = shape[-1]
    if pattern in ("right", "left"):
        lengths = generator.integers(1, max(2, count), shape[:-1])[..., None]
        positions = np.arange(count)
        made: Array = positions < lengths if pattern == "right" else positions >= count - lengths
        return made
    if pattern == "whole":
        return np.ones(shape, dtype=bool)
    values = generator.random(shape) < 0.6
    if pattern == "empty row":
        values[0] = False
    return values
