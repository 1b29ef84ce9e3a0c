"""Lower rules: an output position must depend on every input position that the rule names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from archspec.contract.generate import OPEN, generate
from archspec.contract.perturb import EXACT_TOLERANCE
from archspec.contract.probes import output_name
from archspec.contract.protocol import Array, Arrays, Subject
from archspec.contract.redraw import redraw
from archspec.contract.report import Finding, shown
from archspec.contract.values import UnmeasurableError, allowed
from archspec.ir.types import DType, TensorType
from archspec.spec import Rule
from archspec.spec.claims import Claims

LOWER = ("covers", "sees")
_DRAWS = 3
_MOST_SOURCES = 48
_TOLERANCE = 1e-9
"""In float32, where no float64 run is to be had: what moves less has not been seen to move."""


def lower(claims: Claims, subject: Subject, rule: Rule, sizes: Mapping[str, int], seed: int) -> Finding:
    """Judge a lower rule, every predicate true: change one input position at a time, and see which outputs move."""
    claim = str(rule)
    try:
        output = output_name(claims, rule)
        if rule.input.name not in claims.inputs:
            raise UnmeasurableError(f"`{rule.fields.input}` is no input")
        arrays = generate(claims, sizes, OPEN, seed)
        wanted = _wanted(rule, arrays, sizes)
    except UnmeasurableError as error:
        return Finding(claim=claim, status="not measured", detail=str(error))
    runner = subject.exact or subject.runner
    tolerance = EXACT_TOLERANCE if subject.exact is not None else _TOLERANCE
    before = runner.run(arrays)[output]
    trials = 0
    for place in _sources(arrays[rule.input.name], rule.input.type):
        seen = np.zeros(0, dtype=bool)
        for draw in range(_DRAWS):
            changed = _changed(claims, rule, arrays, sizes, place, seed + draw)
            if changed is None:
                return Finding(claim=claim, status="not measured", detail=f"`{rule.input.name}` has one value only")
            trials += 1
            moved = _moved(before, runner.run(changed)[output], rule.output.type, tolerance)
            seen = moved if draw == 0 else seen | moved
            missing = wanted[:, place[0]] & ~seen if wanted.ndim == 2 else ~seen
            if not missing.any():
                break
        else:
            blind = int(np.argwhere(missing)[0][0])
            source = f"{rule.input.name} position {', '.join(map(str, place))}"
            detail = f"{output} position {blind} does not depend on {source}, at {shown(sizes)}"
            return Finding(claim=claim, status="violated", detail=detail, trials=trials)
    return Finding(claim=claim, status="holds", trials=trials)


def _wanted(rule: Rule, arrays: Arrays, sizes: Mapping[str, int]) -> Array:
    """The pairs that must be seen: bool [outputs, inputs]; without axes where it is every pair."""
    if rule.kind == "sees":
        return np.ones(())
    pairs: Array = allowed(rule, arrays, sizes)[0]
    return pairs


def axes_of(type_: TensorType) -> tuple[int, ...]:
    """The axes that number positions: for an image its pixels, for features over a sequence the sequence."""
    if type_.dtype is not DType.FLOAT:
        return tuple(range(1, type_.rank))
    return (1,) if type_.rank == 3 else tuple(range(2, type_.rank))


def _sources(array: Array, type_: TensorType) -> Iterator[tuple[int, ...]]:
    """Input positions, some of them where they are many."""
    shape = tuple(array.shape[axis] for axis in axes_of(type_))
    count = int(np.prod(shape))
    chosen = range(count) if count <= _MOST_SOURCES else np.linspace(0, count - 1, _MOST_SOURCES).astype(int)
    for index in chosen:
        yield tuple(int(place) for place in np.unravel_index(int(index), shape)) if shape else ()


def _changed(
    claims: Claims, rule: Rule, arrays: Arrays, sizes: Mapping[str, int], place: tuple[int, ...], seed: int
) -> dict[str, Array] | None:
    name = rule.input.name
    array, given = arrays[name], claims.inputs[name]
    at = np.zeros(array.shape, dtype=bool)
    index: list[int | slice] = [slice(None)] * array.ndim
    for axis, number in zip(axes_of(given.type), place, strict=True):
        index[axis] = number
    at[tuple(index)] = True
    made = redraw(claims, given, array, at, sizes, np.random.default_rng(seed))
    return None if made is None else {**arrays, name: made}


def _moved(before: Array, after: Array, type_: TensorType, tolerance: float) -> Array:
    """Whether each output position moved, in every row of the leading axis."""
    scale = max(1.0, float(np.abs(before).max(initial=0.0)))
    apart = np.abs(after.astype(np.float64) - before.astype(np.float64)) / scale > tolerance
    kept = axes_of(type_)
    rest = tuple(axis for axis in range(1, apart.ndim) if axis not in kept)
    by_position: Array = apart.any(rest).all(0).reshape(-1)
    return by_position
