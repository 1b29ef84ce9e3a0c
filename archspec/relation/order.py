"""A total order of constraints, which is the same in every run: sets of constraints are traversed in it.

Where the sizes do not decide which of two ends is tighter, the first one is kept, so the order of traversal can change
a result; and Python orders a set by hashes, which differ from run to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from archspec.algebra.dim import Dim
from archspec.relation.atoms import Difference, Flat, Guard, PrefixBound, Range, SegmentEquality

Constraint = Difference | Flat | Range | PrefixBound | Guard | SegmentEquality
C = TypeVar("C", Difference, Flat, Range, PrefixBound, Guard, SegmentEquality)


def ordered(constraints: frozenset[C]) -> Sequence[C]:
    """Constraints in their total order: those whose ends are integers come before those whose ends are sizes."""
    return tuple(constraints) if len(constraints) < 2 else _sorted(constraints)


@lru_cache(maxsize=1 << 12)
def _sorted(constraints: frozenset[C]) -> Sequence[C]:
    return tuple(sorted(constraints, key=_rank))


@lru_cache(maxsize=1 << 13)
def _rank(constraint: Constraint) -> tuple[object, ...]:
    """Sort key of a constraint: where it applies, then its ends; the text for kinds without ends of their own."""
    match constraint:
        case Difference():
            place: tuple[object, ...] = (constraint.out, constraint.inp, constraint.a, constraint.b)
        case Range():
            place = (constraint.side, constraint.coordinate)
        case _:
            # The text of a term has its number, so different terms never have one rank.
            return (str(constraint),)
    return (*place, _end(constraint.lo), _end(constraint.hi))


def _end(end: Dim | None) -> tuple[int, int, str]:
    """Sort key of an end: integers by value, then sizes by their text, then infinity."""
    if end is None:
        return 2, 0, ""
    number = end.constant
    return (1, 0, str(end)) if number is None else (0, number, "")
