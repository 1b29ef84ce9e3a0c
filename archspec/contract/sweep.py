"""Arrangements of masks, segments and prefixes that together distinguish every pair of positions.

Random padding rarely puts a given pair of positions on different sides, and never all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.model.ports import shape_at
from archspec.model.runner import Array, Arrays
from archspec.model.samples import bounds, generate, patterns
from archspec.ops.elementwise.logical import Logical
from archspec.record import record
from archspec.rules.measure import spaced
from archspec.spec import InputSpec, Rule
from archspec.spec.claims import Claims


@record(eq=False)
class Arranged:
    """Inputs in which one that a rule names is arranged, and whether arrangements were left out."""

    arrays: Arrays
    name: str
    is_partial: bool = False


def sweep(claims: Claims, rule: Rule, sizes: Mapping[str, int], seed: int, most: int) -> Iterator[Arranged]:
    """Inputs with every arrangement of each mask, segment or prefix input that a rule names.

    Every row of the batch has another arrangement.

    Args:
        claims: declared inputs.
        rule: the rule; the one of its inputs that it is about is left alone.
        sizes: the size of each dim.
        seed: seed of the other inputs.
        most: the largest number of inputs to yield for each input that is arranged.
    """
    for given in _named(claims, rule):
        *rows, count = shape_at(given, sizes) if given.type.rank > 1 else (*shape_at(given, sizes), 1)
        made = _arrangements(claims, given, sizes, count)
        turns = -(-len(made) // max(1, prod(rows)))
        for turn in spaced(range(turns), most):
            arrays = generate(claims, sizes, patterns(claims)[0], seed + turn)
            # In the last turn fewer arrangements than rows may be left, so that the first ones fill it up.
            numbers = (turn * prod(rows) + np.arange(prod(rows))) % len(made)
            arrays[given.name] = made[numbers].reshape(shape_at(given, sizes)).astype(given.type.dtype.value)
            yield Arranged(arrays=arrays, name=given.name, is_partial=turns > most)


def _named(claims: Claims, rule: Rule) -> Iterator[InputSpec]:
    """The inputs that a rule names as a mask, as segments or in its mask, each once, negated or not."""
    values = (rule.where, rule.by, *rule.controls)
    names = dict.fromkeys(_origin(value).name for value in values if value is not None)
    for name in names:
        given = claims.inputs.get(name)
        if given is not None and name != rule.input.name and given.type.dtype is not DType.FLOAT:
            yield given


def _origin(value: Value) -> Value:
    """The value that a negation negates, or the value itself."""
    while value.producer is not None and isinstance(value.producer.op, Logical) and value.producer.op.kind == "not":
        (value,) = value.producer.inputs
    return value


def _arrangements(claims: Claims, given: InputSpec, sizes: Mapping[str, int], count: int) -> Array:
    """All arrangements of one row: [number, positions], empty where there is nothing to arrange."""
    if given.type.dtype is DType.BOOL:
        made = _first(count) if given.type.rank > 1 else np.zeros((0, count), dtype=bool)
        sides = {"right": [made], "left": [made[:, ::-1]], "any": [made, made[:, ::-1], _bits(count)]}
        return np.concatenate(sides[given.padding])
    low, high = bounds(claims, given, sizes)
    if given.type.rank <= 1:
        return np.arange(low, high)[:, None]
    if high - low < 2:
        return np.zeros((0, count), dtype=int)
    parts = [~_first(count)] if given.sorted else [~_first(count), _bits(count)]
    return low + np.concatenate(parts).astype(int)


def _first(count: int) -> Array:
    """The first positions, for each number of them but none and all: bool [count - 1, count]."""
    found: Array = np.arange(count) <= np.arange(count - 1)[:, None]
    return found


def _bits(count: int) -> Array:
    """For each bit of a position's number, the positions that have it set, and those that have it clear.

    Any two positions differ in some bit, so that for each ordered pair one of these holds the first one alone.
    """
    bits = np.arange(max(count - 1, 0).bit_length())[:, None]
    is_set: Array = (np.arange(count) >> bits) % 2 == 1
    return np.concatenate([is_set, ~is_set])
