"""Probes: input positions to change, and the output positions that must then stay the same."""

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
    """Positions to change, by input, and positions that must stay, by output: bool over leading axes of each.

    `is_partial` says that the limit on the number of probes left others out. With `first`, only the output positions
    are held that these changes move.
    """

    changes: Mapping[str, Array]
    holds: Mapping[str, Array]
    is_partial: bool = False
    first: Mapping[str, Array] | None = None


def probes(claims: Claims, rule: Rule, arrays: Arrays, sizes: Mapping[str, int], most: int) -> Iterator[InputProbe]:
    """The probes of an upper rule on these inputs.

    Args:
        claims: declared inputs and outputs.
        rule: a rule of an `UpperKind`.
        arrays: the inputs that will be changed.
        sizes: the size of each dim.
        most: the largest number of probes.

    Raises:
        UnmeasurableError: if the rule is about inner values, or its kind cannot be tested on these inputs.
    """
    output = output_name(claims, rule)
    if rule.input.name not in claims.inputs:
        raise UnmeasurableError(f"`{rule.fields.input}` is not an input")
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, UpperKind)
    for found in kind.probes(rule, Measured(arrays=arrays, sizes=sizes, most=most)):
        changes, holds = {rule.input.name: found.changes}, {output: found.holds}
        first = None if found.first is None else {rule.input.name: found.first}
        yield InputProbe(changes=changes, holds=holds, is_partial=found.is_partial, first=first)


def output_name(claims: Claims, rule: Rule) -> str:
    """The name of the output that a rule is about. Raises UnmeasurableError if it is about another value."""
    found = [name for name, value in claims.outputs.items() if value is rule.output]
    if not found:
        raise UnmeasurableError(f"`{rule.fields.output}` is not an output")
    return found[0]


def _changed_rows(count: int) -> Iterator[Array]:
    """Sets of rows to change together: bool [rows].

    With few rows, all but one change, for each row in turn. With more, the rows change that have one bit of their
    number set, and then those that have it clear. Any two row numbers differ in some bit, so that for every pair of
    rows there is a set in which the first one is held and the second one changes, with a logarithmic number of runs.
    """
    numbers = np.arange(count)
    if count <= _MOST_SINGLE_ROWS:
        # A single row has no other that it could depend on.
        yield from (numbers != row for row in range(count if count > 1 else 0))
        return
    for bit in range((count - 1).bit_length()):
        yield (numbers >> bit) % 2 == 1
        yield (numbers >> bit) % 2 == 0


def independence(claims: Claims, symbol: Symbol, sizes: Mapping[str, int]) -> Iterator[InputProbe]:
    """Probes of whether the rows of a leading dim are independent.

    Each probe changes some rows of all inputs whose first axis is the dim, and holds the other rows wherever an output
    has the dim as an axis.

    Args:
        claims: declared inputs and outputs.
        symbol: the dim, the first axis of at least one input.
        sizes: the size of each dim. With a single row there are no probes.
    """
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
