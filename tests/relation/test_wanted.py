"""What a rule wants is never widened."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol
from archspec.relation.atoms import Atom, Difference, Guard, Range, Relation
from archspec.relation.evaluate import matrix
from archspec.relation.wanted import merged
from archspec.rules.prove import within
from tests.relation import random_atoms
from tests.relation.worlds import INP, OUT, Controls, controls, relations


@given(relations(), controls(), st.integers(1, 3))
def test_merging_keeps_exactly_the_pairs(wanted: Relation, values: Controls, n: int) -> None:
    before, after = (matrix(r, OUT, INP, values, {"n": n}) for r in (wanted, merged(wanted)))
    assert np.array_equal(before, after)


def test_what_is_said_to_be_within_is_within() -> None:
    shown = 0
    for seed in range(600):
        r = random.Random(seed)
        out, inp = random_atoms.space(r), random_atoms.space(r)
        found = random_atoms.relation(r, out, inp)
        # Of what is found some constraints are wanted, so that some proofs succeed.
        wanted = Relation(tuple(some_of(r, atom) for atom in found.atoms))
        if r.random() < 0.5:
            wanted = Relation((*wanted.atoms[1:], random_atoms.atom(r, out, inp)))
        if not within(found, wanted, out, inp, {}):
            continue
        shown += 1
        sizes, values = random_atoms.sizes(r), random_atoms.values(r)
        spaces = random_atoms.concrete(out, sizes), random_atoms.concrete(inp, sizes)
        left, right = (matrix(relation, *spaces, values, sizes) for relation in (found, wanted))
        assert not (left & ~right).any(), seed
    assert shown > 100


def some_of(r: random.Random, atom: Atom) -> Atom:
    kept = [frozenset(one for one in sorted(part, key=str) if r.random() < 0.6) for part in vars(atom).values()]
    return Atom(**dict(zip(vars(atom), kept, strict=True)))


def test_of_two_ends_that_no_size_orders_both_stay() -> None:
    n = Dim.of(Symbol("n", 2, 6, 12))
    ends = [Difference(out=0, inp=0, lo=Dim.of(0), hi=hi) for hi in (n - 1, Dim.of(2))]
    wanted = Relation((Atom(differences=frozenset(ends)),))
    causal = Relation((Atom(differences=frozenset({Difference(out=0, inp=0, lo=Dim.of(0))})),))
    assert not within(causal, wanted, (n,), (n,), {})
    assert within(Relation((Atom(differences=frozenset(ends[1:])),)), Relation((wanted.atoms[0],)), (n,), (n,), {})


def test_many_wanted_atoms_stay_apart() -> None:
    n = Dim.of(Symbol("n", 2, 6, 12))
    guards = (Guard(side="in", predicate=f"p{k}", coordinates=(0,)) for k in range(20))
    wanted = Relation(tuple(Atom(guards=frozenset({guard})) for guard in guards))
    assert len(merged(wanted).atoms) == 20
    assert not within(Relation((Atom(),)), wanted, (n,), (n,), {})


def test_intervals_that_touch_are_one_atom() -> None:
    n = Dim.of(Symbol("n", 2, 6, 12))
    halves = [Range(side="in", coordinate=0, hi=Dim.of(0)), Range(side="in", coordinate=0, lo=Dim.of(1))]
    wanted = Relation(tuple(Atom(ranges=frozenset({half})) for half in halves))
    assert within(Relation((Atom(),)), wanted, (n,), (n,), {})
