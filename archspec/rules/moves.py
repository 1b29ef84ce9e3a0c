"""Moves of a rule's input on concrete arrays, and how far its output then is from where it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import ceil, floor
from typing import TYPE_CHECKING

from archspec.ir.motion import Moves
from archspec.record import record
from archspec.rules.measure import Measured, promised
from archspec.spec import Rule

if TYPE_CHECKING:
    from archspec.rules.measure import Array

_TIMES = (1, 2, -1)


@record(eq=False)
class Trial:
    """One move: of the input by `by` positions, which must move the output by `out`, where `kept` holds.

    `kept` is bool over the positions of the output's axis, or None where the output has no such axis.
    """

    by: int
    out: int
    kept: Array | None


def trials(rule: Rule, sizes: Mapping[str, int], motion: Moves | None) -> Iterator[Trial]:
    """The moves to try at some sizes: by once the least one that the stride allows, twice, and back.

    Args:
        rule: a rule with a stride, of an output that moves or of one that stays the same.
        sizes: the sizes of the dims.
        motion: where given, only output positions count whose field lies inside the input before and after.
    """
    import numpy as np

    ((*out,), (inp,)) = rule.axes
    length, least = rule.input.type.shape[inp].value(sizes), moved_input(rule)
    for times in _TIMES:
        # A cyclic move by whole lengths is none; of another one over a whole length, nothing stays inside.
        by = abs(times) * least
        if length == 0 or (by % length == 0 if motion is None else by >= length):
            continue
        count = rule.output.type.shape[out[0]].value(sizes) if out else 0
        trial = Trial(by=least * times, out=moved_output(rule) * times, kept=None)
        kept = np.ones(count, dtype=bool) if motion is None else inside(motion, count, length, trial)
        if kept.any() or not out:
            yield replace(trial, kept=kept if out else None)


def room(motion: Moves) -> int:
    """A length of the input at which two neighbours of the output have their field inside, before and after a move."""
    return ceil(motion.high - motion.low) + 1 + 2 * (motion.move.unit + ceil(motion.span))


def moved_input(rule: Rule) -> int:
    """The least move of the input that moves the output by whole positions; every rule on symmetry has a stride."""
    assert rule.stride is not None
    return rule.stride.numerator


def moved_output(rule: Rule) -> int:
    """By how many positions that moves the output."""
    assert rule.stride is not None
    return rule.stride.denominator


def inside(motion: Moves, count: int, length: int, trial: Trial) -> Array:
    """The output positions whose field, not clipped at the borders, is inside before and after a move.

    Args:
        motion: how the output moves, with the field of its positions.
        count: the number of output positions.
        length: the number of input positions.
        trial: the move.
    """
    import numpy as np

    span, low, high = motion.span, floor(motion.low), ceil(motion.high)
    first = np.asarray([floor(span * i) + low for i in range(count)])
    last = np.asarray([ceil(span * i) + high for i in range(count)])
    own = np.arange(count) - trial.out
    found = (first >= max(0, trial.by)) & (last < length + min(0, trial.by)) & (own >= 0) & (own < count)
    before = np.where(found, own, 0)
    kept: Array = found & (first[before] >= 0) & (last[before] < length) if count else found
    return kept


def moved(array: Array, axis: int, by: int) -> Array:
    """An array moved cyclically along an axis: what enters at one end is what left at the other."""
    import numpy as np

    return np.roll(array, by, axis=axis)


def entered(array: Array, fresh: Array, axis: int, by: int) -> Array:
    """A cyclically moved array in which other values enter at the end that the move leaves empty.

    Args:
        array: what `moved` gives for the same axis and move.
        fresh: an array of the same shape; its values take the places of those that went around.
        axis: the axis.
        by: the move.
    """
    import numpy as np

    places = np.arange(array.shape[axis])
    enters = places < by if by > 0 else places >= len(places) + by
    along = [1] * array.ndim
    along[axis] = -1
    found: Array = np.where(enters.reshape(along), fresh, array)
    return found


def apart(rule: Rule, trial: Trial, before: Array, after: Array, inputs: Measured) -> Array:
    """How far each output element is from where it should be, relative to the largest or to 1; 0 where it may be.

    Args:
        rule: the rule.
        trial: the move.
        before: the output of the input as it was.
        after: the output of the moved input.
        inputs: the inputs, for the positions that the rule is about.

    Raises:
        UnmeasurableError: where these depend on the input itself.
    """
    import numpy as np

    expected = before.astype(np.float64)
    if trial.kept is not None:
        (out,) = rule.axes[0]
        expected = moved(expected, out, trial.out)
    largest = max(1.0, float(np.abs(expected).max(initial=0.0, where=np.isfinite(expected))))
    with np.errstate(invalid="ignore"):
        found = np.abs(after.astype(np.float64) - expected) / largest
    # A value that is not finite is equal to nothing.
    found = np.where(np.isfinite(found), found, np.inf)
    held = promised(rule, inputs)
    held = held.reshape(held.shape + (1,) * (found.ndim - held.ndim))
    if trial.kept is not None:
        along = [1] * found.ndim
        along[out] = -1
        held = held & trial.kept.reshape(along)
    where: Array = np.where(held, found, 0.0)
    return where
