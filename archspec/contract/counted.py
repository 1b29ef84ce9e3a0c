"""Output positions that count: those that no rule with a `where` excludes as padding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.contract.probes import output_name
from archspec.model.runner import Array, Arrays
from archspec.rules.kind import UpperKind, rule_kinds
from archspec.rules.measure import Measured, UnmeasurableError
from archspec.spec.claims import Claims


def hiding(claims: Claims) -> frozenset[str]:
    """Names of the bool values that hide positions where they are true: those that rules name in `where`."""
    return frozenset(rule.where.name for rule in claims.rules if rule.where is not None)


def counted(claims: Claims, arrays: Arrays, sizes: Mapping[str, int]) -> dict[str, Array]:
    """The positions that count, by output.

    Args:
        claims: rules and outputs.
        arrays: the inputs, on which the rules' `where` is evaluated.
        sizes: the size of each dim.

    Returns:
        for each output a bool array over some of its leading axes, of size 1 where it is broadcast; `over` expands it.
        A rule whose `where` cannot be evaluated from the inputs excludes nothing.
    """
    return {name: _counted(claims, name, arrays, sizes) for name in claims.outputs}


def over(positions: Array, shape: tuple[int, ...]) -> Array:
    """Broadcast bool positions over the leading axes of an output to its full `shape`."""
    wide = positions.reshape(positions.shape + (1,) * (len(shape) - positions.ndim))
    return np.broadcast_to(wide, shape)


def _counted(claims: Claims, name: str, arrays: Arrays, sizes: Mapping[str, int]) -> Array:
    """The positions of one output that every rule on it with a `where` keeps."""
    found = np.ones((1,), dtype=bool)
    for rule in claims.rules:
        if rule.where is None or rule.output is not claims.outputs[name]:
            continue
        try:
            output_name(claims, rule)
            kind = rule_kinds()[rule.kind]
            assert isinstance(kind, UpperKind)
            at = kind.kept(rule, Measured(arrays=arrays, sizes=sizes))
        except UnmeasurableError:
            continue
        wide, narrow = (at, found) if at.ndim > found.ndim else (found, at)
        found = wide & narrow.reshape(narrow.shape + (1,) * (wide.ndim - narrow.ndim))
    return found
