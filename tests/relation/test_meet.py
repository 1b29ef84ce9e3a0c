from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol
from archspec.relation.atoms import EVERYTHING, NOTHING, Atom, Difference, Guard, Relation
from archspec.relation.erase import erase
from archspec.relation.evaluate import matrix
from archspec.relation.meet import meet
from tests.relation.worlds import INP, OUT, Controls, controls, relations


@given(relations(), relations(), controls(), st.integers(1, 3))
def test_meeting_is_conjunction(left: Relation, right: Relation, values: Controls, n: int) -> None:
    found, a, b = (matrix(r, OUT, INP, values, {"n": n}) for r in (meet(left, right), left, right))
    assert np.array_equal(found, a & b)


@given(relations(), controls(), st.sampled_from(["valid", "segments", "length"]))
def test_erasing_holds_for_every_value_of_the_operand(relation: Relation, values: Controls, key: str) -> None:
    widened = matrix(erase(relation, key), OUT, INP, {k: v for k, v in values.items() if k != key}, {"n": 2})
    assert not (matrix(relation, OUT, INP, values, {"n": 2}) & ~widened).any()


def between(lo: Dim | int | None, hi: Dim | int | None) -> Relation:
    ends = [None if end is None else Dim.of(end) for end in (lo, hi)]
    return Relation((Atom(differences=frozenset({Difference(out=0, inp=0, lo=ends[0], hi=ends[1])})),))


def test_intervals_are_joined_where_sizes_tell_which_is_tighter() -> None:
    n = Dim.of(Symbol("n", 2, 4, 6))
    assert meet(between(0, None), between(-3, 3)) == between(0, 3)
    assert meet(between(0, n), between(None, n + 1)) == between(0, n)
    assert meet(between(0, 1), between(n, None)) == NOTHING
    (atom,) = meet(between(0, n), between(0, 4)).atoms
    assert len(atom.differences) == 2


def test_a_guard_and_its_opposite_leave_nothing() -> None:
    guard = Guard(side="in", predicate="p", coordinates=(0,))
    opposite = Guard(side="in", predicate="p", coordinates=(0,), negated=True)
    left, right = (Relation((Atom(guards=frozenset({g})),)) for g in (guard, opposite))
    assert meet(left, right) == NOTHING
    assert meet(left, EVERYTHING) == left
