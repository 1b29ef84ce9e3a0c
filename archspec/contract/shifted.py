"""How far outputs are from where they should be when an input is moved cyclically, as figures and without a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor

import numpy as np

from archspec.ir.motion import Moves
from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record
from archspec.rules.moves import moved


@record(eq=False)
class Followed:
    """An output that is followed under moves of an input.

    `place` says where its positions lie on the axis of the input; without it, the output should stay as it is. With
    `bounded`, its positions depend on no more than their field.
    """

    output: str
    place: Moves | None = None
    bounded: bool = False

    @property
    def unit(self) -> int:
        """The moves at which the output should be moved by whole positions are multiples of it."""
        return 1 if self.place is None else self.place.move.unit


@record
class Deviation:
    """How far an output is from where it should be after a move by `by` positions, relative to its largest value.

    `largest` is over all positions, `inside` over those whose field is inside the input before and after; None where
    there are none. Both are infinite where a value is not finite, and NaN where the output is zero everywhere.
    """

    by: int
    largest: float
    inside: float | None = None


def deviations(
    runner: Runner,
    arrays: Arrays,
    source: tuple[str, int],
    moves: Sequence[int],
    followed: Sequence[Followed],
    sizes: Mapping[str, int],
) -> list[list[Deviation]]:
    """Run a model on an input and on the moved ones, and compare its outputs.

    Args:
        runner: the model.
        arrays: all inputs by name.
        source: the input that is moved, and the axis.
        moves: by how many positions it is moved, cyclically, towards higher positions.
        followed: the outputs that are compared.
        sizes: the sizes of the dims.

    Returns:
        for each output what was found at each move that is a multiple of its unit, in the order of the moves.

    Raises:
        SpecError: where the model fails.
    """
    name, axis = source
    before = runner.run(arrays)
    found: list[list[Deviation]] = [[] for _ in followed]
    for by in moves:
        after = runner.run({**arrays, name: np.ascontiguousarray(moved(arrays[name], axis, by))})
        for one, known in zip(followed, found, strict=True):
            if by % one.unit == 0:
                known.append(_deviation(one, before[one.output], after[one.output], by, sizes))
    return found


def apart_from(runner: Runner, arrays: Arrays, others: Arrays, output: str) -> float:
    """The largest difference of an output on two inputs, relative to its largest value on the first."""
    before, after = runner.run(arrays)[output], runner.run(others)[output]
    return _relative(before, after, before)


def _deviation(one: Followed, before: Array, after: Array, by: int, sizes: Mapping[str, int]) -> Deviation:
    if one.place is None:
        return Deviation(by=by, largest=_relative(before, after, before))
    place, times = one.place, by // one.unit
    expected, positions = placed(before, place, times, sizes)
    inside = None
    if one.bounded:
        kept = _inside(place, times, sizes)[positions]
        # Positions beside those that move, such as a class token, have no field.
        at = np.flatnonzero(kept & (positions >= 0))
        if at.size:
            own, found = (np.take(array, at, axis=place.axis) for array in (expected, after))
            inside = _relative(own, found, before)
    return Deviation(by=by, largest=_relative(expected, after, before), inside=inside)


def placed(array: Array, place: Moves, times: int, sizes: Mapping[str, int]) -> tuple[Array, Array]:
    """An array moved by some positions where its entries move, and the number that each entry of the axis has there.

    Args:
        array: the value.
        place: how it moves.
        times: how often the source moves by its unit.
        sizes: the sizes of the dims.

    Returns:
        the moved array, and int [positions of the axis]: m of `Moves`, or -1 beside those that move.
    """
    count, inner = place.size.value(sizes), place.inner.value(sizes)
    numbers = np.arange(array.shape[place.axis])
    flat = numbers - place.front.value(sizes)
    is_moving = (flat >= 0) & (numbers < len(numbers) - place.back.value(sizes))
    m = np.where(is_moving, flat // inner % count, -1)
    step = place.step * times
    assert step.denominator == 1
    origin = np.where(is_moving, numbers + ((m - int(step)) % count - m) * inner, numbers)
    return np.take(array, origin, axis=place.axis), m


def _inside(place: Moves, times: int, sizes: Mapping[str, int]) -> Array:
    """Of each m, whether it and what it comes from have their field inside the source, and did not go around."""
    count, length = place.size.value(sizes), place.move.length.value(sizes)
    low, high, by = floor(place.low), ceil(place.high), place.move.unit * times
    first = np.asarray([floor(place.span * m) + low for m in range(count)])
    last = np.asarray([ceil(place.span * m) + high for m in range(count)])
    # Of a slice, what enters may come from positions that it leaves out.
    origin = np.arange(count) - int(place.step * times)
    found = (first >= max(0, by)) & (last < length + min(0, by)) & (origin >= 0) & (origin < count)
    before = np.where(found, origin, 0)
    kept: Array = found & (first[before] >= 0) & (last[before] < length) if count else found
    return kept


def _relative(expected: Array, found: Array, scale: Array) -> float:
    """The largest difference relative to the largest value of `scale`."""
    largest = float(np.abs(scale.astype(np.float64)).max(initial=0.0))
    # Infinity minus infinity is NaN, which is returned as an infinite difference below.
    with np.errstate(invalid="ignore"):
        difference = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0))
    if largest == 0:
        return float("nan")
    return difference / largest if np.isfinite(difference) and np.isfinite(largest) else float("inf")


def coloured(noise: Array, axes: Sequence[int]) -> Array:
    """White noise with the amplitudes of natural images, which fall with the frequency (Field 1987), and variance 1.

    Args:
        noise: float32 [...], white.
        axes: the axes of space.

    Returns:
        float32 of the same shape. It goes around the edges without a seam.
    """
    spectrum = np.fft.fftn(noise.astype(np.float64), axes=axes)
    along = [np.fft.fftfreq(noise.shape[axis]) for axis in axes]
    grid = np.meshgrid(*along, indexing="ij")
    frequency = np.sqrt(sum(one**2 for one in grid))
    # The mean has frequency 0, by which nothing can be divided; an infinite one drops the mean.
    frequency[(0,) * len(axes)] = np.inf
    shape = [noise.shape[axis] if axis in axes else 1 for axis in range(noise.ndim)]
    made = np.fft.ifftn(spectrum / frequency.reshape(shape), axes=axes).real
    scale = made.std()
    found: Array = (made / scale if scale > 0 else made).astype(np.float32)
    return found
