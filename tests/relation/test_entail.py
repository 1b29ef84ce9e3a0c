from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol
from archspec.relation.atoms import (
    EVERYTHING,
    NOTHING,
    Atom,
    Difference,
    Guard,
    PrefixBound,
    Range,
    Relation,
    SegmentEquality,
    equal,
)
from archspec.relation.entail import entails
from archspec.relation.evaluate import matrix
from archspec.relation.meet import meet
from tests.relation.worlds import INP, OUT, Controls, controls, relations

N = Dim.of(Symbol("n", 2, 4, 6))


@settings(max_examples=400)
@given(relations(), relations(), controls(), st.integers(1, 3))
def test_what_is_entailed_holds(left: Relation, right: Relation, values: Controls, n: int) -> None:
    for narrow, wide in ((left, right), (meet(left, right), left), (right, left | right)):
        if entails(narrow, wide):
            a, b = (matrix(r, OUT, INP, values, {"n": n}) for r in (narrow, wide))
            assert not (a & ~b).any()


@given(relations(), relations())
def test_a_part_entails_the_whole(left: Relation, right: Relation) -> None:
    assert entails(left, left | right)
    assert entails(NOTHING, left)
    assert entails(left, EVERYTHING)


def one(*differences: Difference, **rest: frozenset) -> Relation:
    return Relation((Atom(differences=frozenset(differences), **rest),))


def difference(lo: Dim | int | None = None, hi: Dim | int | None = None) -> Difference:
    return Difference(out=0, inp=0, lo=None if lo is None else Dim.of(lo), hi=None if hi is None else Dim.of(hi))


SEGMENT = frozenset({SegmentEquality(segments="s", out=(0,), inp=(0,))})


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (one(difference(0, 3)), one(difference(0)), True),
        (one(difference(0, N)), one(difference(-1, N + 1)), True),
        (one(difference(0, N)), one(difference(0, 4)), False),
        (one(difference(0), difference(None, 3)), one(difference(0, 3)), True),
        (one(equal(0, 0)), one(segments=SEGMENT), True),
        (one(equal(0, 0, 1)), one(segments=SEGMENT), False),
        (one(difference(0, 0)), one(Difference(out=0, inp=1, lo=Dim.of(0))), False),
        (
            one(ranges=frozenset({Range(side="in", coordinate=0, hi=Dim.of(0))})),
            one(difference(0)),
            True,
        ),
        (
            one(
                ranges=frozenset(
                    {
                        Range(side="in", coordinate=0, hi=N - 1),
                        Range(side="out", coordinate=0, lo=N),
                    }
                )
            ),
            one(difference(1)),
            True,
        ),
        (
            one(prefixes=frozenset({PrefixBound(inp=0, prefix="p", offset=1)})),
            one(prefixes=frozenset({PrefixBound(inp=0, prefix="p", offset=2)})),
            True,
        ),
        (
            one(prefixes=frozenset({PrefixBound(inp=0, prefix="p", offset=2)})),
            one(prefixes=frozenset({PrefixBound(inp=0, prefix="p", offset=1)})),
            False,
        ),
        (
            one(guards=frozenset({Guard(side="in", predicate="p", coordinates=(0,))})),
            one(guards=frozenset({Guard(side="in", predicate="q", coordinates=(0,))})),
            False,
        ),
        (EVERYTHING, one(ranges=frozenset({Range(side="out", coordinate=0, lo=Dim.of(0))})), True),
        (one(difference(3, 1)), one(difference(9, 9)), True),
    ],
)
def test_known_entailments(left: Relation, right: Relation, expected: bool) -> None:
    assert entails(left, right) is expected
