"""Second differences of an output: zero everywhere where it is an affine map of an input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from archspec.rules.measure import Measured, promised
from archspec.spec import Rule

if TYPE_CHECKING:
    from archspec.rules.measure import Array

Corner = tuple["Array", bool]
"""A value of the input, and whether the other inputs have other values."""


def corners(source: Array, first: Array, second: Array) -> Iterator[tuple[bool, tuple[Corner, ...]]]:
    """Two sets of four runs, each with whether other inputs change in it.

    Args:
        source: the input of the rule.
        first: a change of it.
        second: another one.

    The first adds either change and both, the second one change with the other inputs as they are and with others.
    """
    yield False, ((source, False), (source + first, False), (source + second, False), (source + first + second, False))
    yield True, ((source, False), (source + first, False), (source, True), (source + first, True))


def second_difference(rule: Rule, results: Sequence[Array], inputs: Sequence[Measured]) -> Array:
    """How far the effect of a change differs, relative to the largest value or to 1; 0 where the rule says nothing.

    Args:
        rule: the rule.
        results: the outputs of four runs, the changed ones at odd places.
        inputs: the inputs that tell which positions the rule is about; it must be about a position under all of them.

    Raises:
        UnmeasurableError: where these depend on the input of the rule.
    """
    import numpy as np

    none, one, two, both = (result.astype(np.float64) for result in results)
    largest = max(1.0, *(float(np.abs(x).max(initial=0, where=np.isfinite(x))) for x in (none, one, two, both)))
    with np.errstate(invalid="ignore"):
        found = np.abs(both - two - one + none) / largest
    found = np.where(np.isfinite(found), found, 0.0)
    for one_set in inputs:
        at = promised(rule, one_set)
        found = np.where(at.reshape(at.shape + (1,) * (found.ndim - at.ndim)), found, 0.0)
    return found


def largest_at(found: Array) -> tuple[tuple[int, ...], float]:
    """The position of the largest entry, and that entry."""
    import numpy as np

    if not found.size:
        return (), 0.0
    place = np.unravel_index(int(found.argmax()), found.shape)
    return tuple(int(k) for k in place), float(found[place])
