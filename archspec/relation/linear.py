"""What several constraints on flat positions say together.

A line says that the difference of two forms is in an interval. Lines are added up, each so many times that coordinates
cancel, and what is left over is bounded by the ranges of its coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import gcd
from typing import NamedTuple

from archspec.algebra.dim import Dim
from archspec.relation.forms import Form, extent, less, plus, ratio, scaled, times, total
from archspec.relation.interval import Interval, no_less

_DEPTH = 3
"""An axis of more factors than this is followed loosely."""
_NOWHERE = Interval(Dim.of(0), Dim.of(0))


class Line(NamedTuple):
    """`interval` holds the value of one form less that of another."""

    left: Form
    right: Form
    interval: Interval

    def turned(self) -> Line:
        """The same with the sides exchanged."""
        return Line(self.right, self.left, negative(self.interval))


def negative(interval: Interval) -> Interval:
    """The negatives of the numbers of an interval."""
    return Interval(None if interval.hi is None else -interval.hi, None if interval.lo is None else -interval.lo)


def bounds(
    left: Form, right: Form, lines: Sequence[Line], out: Sequence[Interval], inp: Sequence[Interval]
) -> list[Interval]:
    """Intervals that all hold the value of the left form less that of the right."""
    return list(_bounds(left, right, lines, (out, inp), _DEPTH))


def _bounds(
    left: Form,
    right: Form,
    lines: Sequence[Line],
    ranges: tuple[Sequence[Interval], Sequence[Interval]],
    depth: int,
) -> Iterator[Interval]:
    yield plus(extent(left, ranges[0]), negative(extent(right, ranges[1])))
    for line in lines if depth else ():
        factor = ratio(left, line.left) if line.left else ratio(right, line.right)
        if factor is None or (line.left and line.right and ratio(right, line.right) is None):
            continue
        rest = less(left, scaled(line.left, factor)), less(right, scaled(line.right, factor))
        if len(rest[0]) + len(rest[1]) < len(left) + len(right):
            for more in _bounds(*rest, lines, ranges, depth - 1):
                yield plus(times(factor, line.interval), more)


def images(found: Form, lines: Sequence[Line], ranges: Sequence[Interval]) -> list[tuple[Form, Interval]]:
    """Forms of the other side, each with an interval that holds the value of the form less theirs.

    `lines` have the form's side on their left; `ranges` are those of its coordinates.
    """
    return [one for one in _images(found, (), _NOWHERE, lines, ranges, _DEPTH) if one[0]]


def _images(
    rest: Form, other: Form, so_far: Interval, lines: Sequence[Line], ranges: Sequence[Interval], depth: int
) -> Iterator[tuple[Form, Interval]]:
    if not rest:
        yield other, so_far
        return
    if _is_short(extent(rest, ranges)):
        yield other, plus(so_far, extent(rest, ranges))
    for line in lines if depth else ():
        factor = ratio(rest, line.left)
        left = () if factor is None else less(rest, scaled(line.left, factor))
        if factor is not None and len(left) < len(rest):
            more = total((*other, *scaled(line.right, factor)))
            yield from _images(left, more, plus(so_far, times(factor, line.interval)), lines, ranges, depth - 1)


def _is_short(interval: Interval) -> bool:
    """Whether an interval has numbers for ends: what is left over within it costs little."""
    return interval.lo is not None and interval.hi is not None and (interval.hi - interval.lo).constant is not None


def exact_image(found: Form, lines: Sequence[Line], ranges: Sequence[Interval]) -> tuple[Form, Dim] | None:
    """A form of the other side and k where surely the form is k more than it."""
    exact = [line for line in lines if is_point(line.interval)]
    for other, interval in images(found, exact, ranges):
        if interval.lo is not None and is_point(interval):
            return other, interval.lo
    return None


def is_point(interval: Interval) -> bool:
    """Whether an interval holds one number."""
    return interval.lo is not None and interval.lo == interval.hi


def reduced(line: Line) -> Line:
    """The line divided by what all its strides share, its ends rounded inward."""
    strides = [stride.constant for _, stride in (*line.left, *line.right)]
    shared = gcd(*(stride or 0 for stride in strides)) if all(strides) else 1
    if shared < 2:
        return line
    left, right = (tuple((k, Dim.of((stride.constant or 0) // shared)) for k, stride in side) for side in line[:2])
    lo, hi = line.interval
    return Line(left, right, Interval(None if lo is None else -(-lo // shared), None if hi is None else hi // shared))


def inside(found: Iterable[Interval], wanted: Interval) -> bool:
    """Whether a number in all of some intervals is surely in the wanted one."""
    intervals = list(found)
    return (
        wanted.lo is None or any(interval.lo is not None and no_less(interval.lo, wanted.lo) for interval in intervals)
    ) and (
        wanted.hi is None or any(interval.hi is not None and no_less(wanted.hi, interval.hi) for interval in intervals)
    )
