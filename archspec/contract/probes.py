"""Probes: input positions to change, and the output positions that must stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from archspec.algebra.dim import Symbol, compare
from archspec.contract.values import UnmeasurableError, allowed, depends, evaluated
from archspec.model.runner import Array, Arrays
from archspec.model.sizes import alone
from archspec.record import record
from archspec.spec import Rule
from archspec.spec.claims import Claims

_MOST_ROWS = 12
_MOST_SINGLE_ROWS = 4


@record
class Probe:
    """`changes` by input and `holds` by output: bool over the first axes of each."""

    changes: Mapping[str, Array]
    holds: Mapping[str, Array]


def probes(claims: Claims, rule: Rule, arrays: Arrays, sizes: Mapping[str, int]) -> tuple[Probe, ...]:
    """The probes of an upper rule on these inputs. Raises UnmeasurableError for a rule that no artifact shows."""
    output = output_name(claims, rule)
    if rule.input.name not in claims.inputs:
        raise UnmeasurableError(f"`{rule.fields.input}` is no input")
    if rule.where is not None:
        return tuple(_ignored(rule, output, arrays, sizes))
    return tuple(_pairs(rule, output, allowed(rule, arrays, sizes), arrays))


def output_name(claims: Claims, rule: Rule) -> str:
    """The output that a rule is about. Raises UnmeasurableError where it is none."""
    found = [name for name, value in claims.outputs.items() if value is rule.output]
    if not found:
        raise UnmeasurableError(f"`{rule.fields.output}` is no output")
    return found[0]


def promised(rule: Rule, arrays: Arrays, sizes: Mapping[str, int]) -> Array:
    """The output positions that an `ignores` rule is about: bool over first axes of the output."""
    assert rule.where is not None
    if rule.at is not None:
        return evaluated(rule.at, arrays, sizes)
    if carries(rule):
        return ~evaluated(rule.where, arrays, sizes).astype(bool)
    return np.ones((1,), dtype=bool)


def carries(rule: Rule) -> bool:
    """Whether the output of an `ignores` rule has the axes that its `where` is over."""
    assert rule.where is not None
    wanted, shape = rule.where.type.shape, rule.output.type.shape
    same = (compare(a, "==", b) is True for a, b in zip(wanted, shape, strict=False))
    return len(wanted) <= len(shape) and all(same)


def _ignored(rule: Rule, output: str, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[Probe]:
    assert rule.where is not None
    if depends(rule.where, rule.input):
        raise UnmeasurableError(f"`where` reads `{rule.fields.input}` itself")
    where: Array = evaluated(rule.where, arrays, sizes).astype(bool)
    holds: Array = promised(rule, arrays, sizes).astype(bool)
    if where.any() and holds.any():
        yield Probe(changes={rule.input.name: where}, holds={output: holds})


def _pairs(rule: Rule, output: str, pairs: Array, arrays: Arrays) -> Iterator[Probe]:
    batch = arrays[rule.input.name].shape[0]
    pairs = np.broadcast_to(pairs, (batch, *pairs.shape[1:]))
    seen: set[bytes] = set()
    for rows in _rows(pairs.shape[1], batch):
        changed = np.logical_not(pairs[np.arange(batch), rows])
        if changed.any() and changed.tobytes() not in seen:
            seen.add(changed.tobytes())
            holds = np.logical_not((pairs & changed[:, None, :]).any(-1))
            yield Probe(changes={rule.input.name: changed}, holds={output: holds})


def _rows(count: int, batch: int) -> Iterator[Array]:
    """The positions whose inputs are held, for each probe one of every row of the batch: int [batch].

    Of few positions each is the same in all rows, so that the first leak is found first. Of many, rows hold others.
    """
    if count <= _MOST_ROWS:
        yield from (np.full(batch, row) for row in range(count))
        return
    tried = min(count, _MOST_ROWS * batch)
    spread = np.linspace(0, count - 1, -(-tried // batch) * batch).round().astype(int)
    yield from spread.reshape(-1, batch)


def _changed_rows(count: int) -> Iterator[Array]:
    """Which rows change: all but one, each in turn; of many, those with a bit of their number set, or not set.

    Any two rows differ in some bit, so that each row is held while each other one changes.
    """
    numbers = np.arange(count)
    if count <= _MOST_SINGLE_ROWS:
        yield from (numbers != row for row in range(count if count > 1 else 0))
        return
    for bit in range((count - 1).bit_length()):
        yield (numbers >> bit) % 2 == 1
        yield (numbers >> bit) % 2 == 0


def independence(claims: Claims, symbol: Symbol, sizes: Mapping[str, int]) -> Iterator[Probe]:
    """Probes of the independence of a dim that leads an input: change some rows, wherever the dim leads, not others."""
    count = sizes[symbol.name]
    led = [name for name, given in claims.inputs.items() if given.type.rank and alone(given.type.shape[0]) == symbol]
    for others in _changed_rows(count):
        holds = {}
        for name, value in claims.outputs.items():
            axes = [axis for axis, dim in enumerate(value.type.shape) if alone(dim) == symbol]
            if axes:
                holds[name] = (~others).reshape((1,) * axes[0] + (count,))
        if holds:
            yield Probe(changes=dict.fromkeys(led, others), holds=holds)
