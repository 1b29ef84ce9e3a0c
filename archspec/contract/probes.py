"""Probes: input positions to change, and the output positions that must stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from archspec.algebra.dim import Symbol
from archspec.model.runner import Array, Arrays
from archspec.model.sizes import alone
from archspec.record import record
from archspec.rules.kind import UpperKind, rule_kinds
from archspec.rules.measure import Measured, UnmeasurableError
from archspec.spec import Rule
from archspec.spec.claims import Claims

_MOST_SINGLE_ROWS = 4


@record
class InputProbe:
    """`changes` by input and `holds` by output: bool over the first axes of each."""

    changes: Mapping[str, Array]
    holds: Mapping[str, Array]


def probes(claims: Claims, rule: Rule, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[InputProbe]:
    """The probes of an upper rule on these inputs. Raises UnmeasurableError for a rule that no artifact shows."""
    output = output_name(claims, rule)
    if rule.input.name not in claims.inputs:
        raise UnmeasurableError(f"`{rule.fields.input}` is not an input")
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, UpperKind)
    for found in kind.probes(rule, Measured(arrays=arrays, sizes=sizes)):
        yield InputProbe(changes={rule.input.name: found.changes}, holds={output: found.holds})


def output_name(claims: Claims, rule: Rule) -> str:
    """The output that a rule is about. Raises UnmeasurableError where it is none."""
    found = [name for name, value in claims.outputs.items() if value is rule.output]
    if not found:
        raise UnmeasurableError(f"`{rule.fields.output}` is not an output")
    return found[0]


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


def independence(claims: Claims, symbol: Symbol, sizes: Mapping[str, int]) -> Iterator[InputProbe]:
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
            yield InputProbe(changes=dict.fromkeys(led, others), holds=holds)
