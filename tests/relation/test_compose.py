"""Normal form, union, join and composition of random relations against boolean matrices."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from archspec.relation.atoms import Relation, Space
from archspec.relation.compose import compose
from archspec.relation.evaluate import matrix
from archspec.relation.join import join
from archspec.relation.normal import normal
from archspec.relation.union import contained, in_normal_form, union
from tests.relation.random_atoms import atom, concrete, relation, sizes, space, values

CASES = 500


def held(found: Relation, out: Space, inp: Space, at: dict, controls: dict) -> NDArray[np.bool_]:
    return matrix(found, concrete(out, at), concrete(inp, at), controls, at)


def product(left: NDArray[np.bool_], right: NDArray[np.bool_], middle: int) -> NDArray[np.bool_]:
    return np.tensordot(left.astype(int), right.astype(int), middle) > 0


def test_the_normal_form_says_the_same() -> None:
    """Guards hold inside their predicate alone, and the axes here are shorter: only so may they change sides."""
    r = random.Random(1)
    for _ in range(CASES):
        out, inp, at, controls = space(r), space(r), sizes(r), values(r)
        plain = relation(r, out, inp)
        short = in_normal_form(plain, out, inp)
        before, after = held(plain, out, inp, at, controls), held(short, out, inp, at, controls)
        assert not (before & ~after).any()
        if len(plain.atoms) == 1:
            assert np.array_equal(before, after)


def test_the_join_contains_both_and_containment_is_so() -> None:
    r, contains = random.Random(2), 0
    for _ in range(CASES):
        out, inp, at, controls = space(r), space(r), sizes(r), values(r)
        one, two = atom(r, out, inp), atom(r, out, inp)
        left, right = (held(Relation((a,)), out, inp, at, controls) for a in (one, two))
        both = held(Relation((join(one, two, out, inp),)), out, inp, at, controls)
        assert not ((left | right) & ~both).any()
        short = [normal(a, out, inp) for a in (one, two)]
        if None not in short and contained(*short, out, inp):
            contains += 1
            assert not (left & ~right).any()
    assert contains > 10


def test_the_union_contains_all_atoms() -> None:
    r = random.Random(3)
    for _ in range(CASES // 5):
        out, inp, at, controls = space(r), space(r), sizes(r), values(r)
        plain = Relation(tuple(atom(r, out, inp) for _ in range(r.randint(2, 18))))
        short = union((a for p in plain.atoms if (a := normal(p, out, inp)) is not None), out, inp)
        assert len(short.atoms) <= 12
        assert not (held(plain, out, inp, at, controls) & ~held(short, out, inp, at, controls)).any()


def test_composition_contains_the_boolean_product() -> None:
    r, exact = random.Random(4), 0
    for _ in range(CASES):
        out, middle, inp, at, controls = space(r), space(r), space(r), sizes(r), values(r)
        left, right = relation(r, out, middle), relation(r, middle, inp)
        short = [in_normal_form(left, out, middle), in_normal_form(right, middle, inp)]
        found = held(compose(*short, out, middle, inp), out, inp, at, controls)
        expected = product(held(left, out, middle, at, controls), held(right, middle, inp, at, controls), len(middle))
        assert not (expected & ~found).any()
        exact += np.array_equal(expected, found)
    assert exact > 0.75 * CASES
