"""What several constraints on flat positions imply together.

A line says that the difference of two forms is in an interval. Multiples of lines are added so that coordinates
cancel, and the remaining terms are bounded by the ranges of their coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import gcd
from typing import NamedTuple

from archspec.algebra.dim import Dim
from archspec.relation.forms import Form, extent, less, plus, ratio, scaled, times, total
from archspec.relation.interval import Interval, no_less

_DEPTH = 3
"""Axes with more factors than this are bounded less precisely."""
_NOWHERE = Interval(Dim.of(0), Dim.of(0))


class Line(NamedTuple):
    """The constraint that `left - right` is in `interval`."""

    left: Form
    right: Form
    interval: Interval

    def turned(self) -> Line:
        """The same constraint with the sides exchanged."""
        return Line(self.right, self.left, negative(self.interval))


def negative(interval: Interval) -> Interval:
    """The interval of the negated numbers."""
    return Interval(None if interval.hi is None else -interval.hi, None if interval.lo is None else -interval.lo)


def bounds(
    left: Form, right: Form, lines: Sequence[Line], out: Sequence[Interval], inp: Sequence[Interval]
) -> list[Interval]:
    """Intervals that all contain the value of the left form minus that of the right form.

    `lines` relate the two sides; `out` and `inp` are the ranges of their coordinates.
    """
    return list(_bounds(left, right, lines, (out, inp), _DEPTH))


def _bounds(
    left: Form,
    right: Form,
    lines: Sequence[Line],
    ranges: tuple[Sequence[Interval], Sequence[Interval]],
    depth: int,
) -> Iterator[Interval]:
    """The intervals of `bounds`, using at most `depth` lines one after the other."""
    # The ranges always give an interval; each way through lines gives another, and all of them hold.
    yield plus(extent(left, ranges[0]), negative(extent(right, ranges[1])))
    for line in lines if depth else ():
        factor = ratio(left, line.left) if line.left else ratio(right, line.right)
        # A line of which only one side occurs would bring new coordinates into the other.
        if factor is None or (line.left and line.right and ratio(right, line.right) is None):
            continue
        rest = less(left, scaled(line.left, factor)), less(right, scaled(line.right, factor))
        # Only steps that cancel a coordinate are taken; with the depth limit, the search stays small.
        if len(rest[0]) + len(rest[1]) < len(left) + len(right):
            for more in _bounds(*rest, lines, ranges, depth - 1):
                yield plus(times(factor, line.interval), more)


def images(found: Form, lines: Sequence[Line], ranges: Sequence[Interval]) -> list[tuple[Form, Interval]]:
    """Forms of the other side, each with an interval that contains the value of `found` minus the value of that form.

    `lines` have the form's side on their left; `ranges` are those of its coordinates.
    """
    # A form without coordinates names no position of the other side.
    return [one for one in _images(found, (), _NOWHERE, lines, ranges, _DEPTH) if one[0]]


def _images(
    rest: Form, other: Form, so_far: Interval, lines: Sequence[Line], ranges: Sequence[Interval], depth: int
) -> Iterator[tuple[Form, Interval]]:
    """The images of `rest`, given the image `other` of what was cancelled so far and the interval of the difference."""
    if not rest:
        yield other, so_far
        return
    # What is left varies by a fixed number of positions, which the interval takes up.
    if _is_short(extent(rest, ranges)):
        yield other, plus(so_far, extent(rest, ranges))
    for line in lines if depth else ():
        factor = ratio(rest, line.left)
        left = () if factor is None else less(rest, scaled(line.left, factor))
        if factor is not None and len(left) < len(rest):
            more = total((*other, *scaled(line.right, factor)))
            yield from _images(left, more, plus(so_far, times(factor, line.interval)), lines, ranges, depth - 1)


def _is_short(interval: Interval) -> bool:
    """Whether an interval has a length that depends on no size: rounding terms off within it loses little."""
    return interval.lo is not None and interval.hi is not None and (interval.hi - interval.lo).constant is not None


def exact_image(found: Form, lines: Sequence[Line], ranges: Sequence[Interval]) -> tuple[Form, Dim] | None:
    """A form of the other side and k such that the value of `found` is exactly k more; None where none is found."""
    # Only equalities together give an equality; this also keeps the search short.
    exact = [line for line in lines if is_point(line.interval)]
    for other, interval in images(found, exact, ranges):
        if interval.lo is not None and is_point(interval):
            return other, interval.lo
    return None


def is_point(interval: Interval) -> bool:
    """Whether an interval contains exactly one number."""
    return interval.lo is not None and interval.lo == interval.hi


def reduced(line: Line) -> Line:
    """The line divided by the common factor of its strides, its ends rounded inwards."""
    # The difference is a multiple of the common factor, so its ends may be rounded inwards. Strides that depend on
    # sizes are left alone.
    strides = [stride.constant for _, stride in (*line.left, *line.right)]
    shared = gcd(*(stride or 0 for stride in strides)) if all(strides) else 1
    if shared < 2:
        return line
    left, right = (tuple((k, Dim.of((stride.constant or 0) // shared)) for k, stride in side) for side in line[:2])
    lo, hi = line.interval
    return Line(left, right, Interval(None if lo is None else -(-lo // shared), None if hi is None else hi // shared))


def inside(found: Iterable[Interval], wanted: Interval) -> bool:
    """Whether the intersection of some intervals is proved to lie in the wanted one."""
    # The two ends may come from different intervals, since all of them hold.
    intervals = list(found)
    return (
        wanted.lo is None or any(interval.lo is not None and no_less(interval.lo, wanted.lo) for interval in intervals)
    ) and (
        wanted.hi is None or any(interval.hi is not None and no_less(wanted.hi, interval.hi) for interval in intervals)
    )
