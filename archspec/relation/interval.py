"""Intervals of integers whose ends are sizes, compared as far as the declared ranges order them.

Every comparison is one-sided: True is proved for all admitted sizes, False means only "not proved".
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from archspec.algebra.dim import Dim, compare


class Interval(NamedTuple):
    """`lo <= x <= hi`; None is infinite."""

    lo: Dim | None = None
    hi: Dim | None = None


def at_least(end: Dim | None, wanted: Dim | None) -> bool:
    """Whether a lower end is proved to be no lower than the wanted one; None is minus infinity."""
    return wanted is None or (end is not None and compare(end, ">=", wanted) is True)


def at_most(end: Dim | None, wanted: Dim | None) -> bool:
    """Whether an upper end is proved to be no higher than the wanted one; None is infinity."""
    return wanted is None or (end is not None and compare(end, "<=", wanted) is True)


def intersection(left: Interval, right: Interval) -> tuple[Interval, ...]:
    """The intersection as one interval, or both intervals where it is not decided which end is tighter."""
    if at_least(left.lo, right.lo):
        lo = left.lo
    elif at_least(right.lo, left.lo):
        lo = right.lo
    else:
        # Neither interval is dropped: a choice would lose one end of the intersection.
        return left, right
    if at_most(left.hi, right.hi):
        return (Interval(lo, left.hi),)
    return (Interval(lo, right.hi),) if at_most(right.hi, left.hi) else (left, right)


def conjunction(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The intersection of all intervals, as few intervals as the declared ranges allow."""
    result: list[Interval] = []
    for interval in intervals:
        for number, found in enumerate(result):
            both = intersection(found, interval)
            if len(both) == 1:
                # It is not compared with the earlier ones again: more intervals than needed are still the same set.
                result[number] = both[0]
                break
        else:
            result.append(interval)
    return tuple(result)


def empty(intervals: Iterable[Interval]) -> bool:
    """Whether the intersection is proved to be empty at every admitted size."""
    found = list(intervals)
    lows = [interval.lo for interval in found if interval.lo is not None]
    highs = [interval.hi for interval in found if interval.hi is not None]
    # All pairs of ends: none of the intervals need be empty by itself.
    return any(compare(lo, ">", hi) is True for lo in lows for hi in highs)


def surely_more(left: Dim, right: Dim) -> bool:
    """Whether the first size is larger at all admitted sizes."""
    if left is right:
        return False
    a, b = left.constant, right.constant
    # Two constants, the common case, need neither bounds nor the cache.
    if a is not None and b is not None:
        return a > b
    return _surely_more(left, right)


@lru_cache(maxsize=1 << 13)
def _surely_more(left: Dim, right: Dim) -> bool:
    return compare(left, ">", right) is True


def no_less(left: Dim, right: Dim) -> bool:
    """Whether the first size is at least the second at all admitted sizes."""
    # Over integers `left >= right` is `left + 1 > right`, so one cache serves both comparisons.
    return left is right or left == right or surely_more(left + 1, right)
