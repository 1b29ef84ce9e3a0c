"""Relations between factored axes against the flat positions that they stand for."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import at_position, atom_of, broadcast_axes, flat_equal, flat_shifted
from archspec.relation.atoms import Atom, Difference, Flat, Relation
from archspec.relation.evaluate import matrix
from tests.ops.case import BATCH, SRC, factored, floats

FACTORS = st.lists(st.integers(1, 4), min_size=1, max_size=3).filter(lambda sizes: prod(sizes) <= 24)


def numbered(sizes: list[int]) -> list[tuple[int, Dim]]:
    return list(enumerate(map(Dim.of, sizes)))


def flat(sizes: list[int], count: int) -> np.ndarray:
    """Flat positions of the coordinates, and as many axes after them."""
    return np.arange(prod(sizes)).reshape(sizes + [1] * count)


def relate(out: list[int], inp: list[int], **constraints: frozenset) -> np.ndarray:
    return matrix(Relation((Atom(**constraints),)), out, inp, {}, {})


@st.composite
def same_size(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Two factorings of one axis: factors of one are joined and split again at random."""
    out = draw(FACTORS)
    cuts = draw(st.lists(st.booleans(), min_size=len(out) - 1, max_size=len(out) - 1))
    inp = [out[0]]
    for size, joined in zip(out[1:], cuts, strict=True):
        inp[-1:] = [inp[-1] * size] if joined else [inp[-1], size]
    if draw(st.booleans()):
        inp = [part for size in inp for part in ((2, size // 2) if size % 2 == 0 else (size, 1))]
    return out, inp


@given(same_size())
def test_flat_equality_holds_wherever_positions_agree(sizes: tuple[list[int], list[int]]) -> None:
    out, inp = sizes
    related = relate(out, inp, **vars(atom_of(flat_equal(numbered(out), numbered(inp)))))
    assert np.array_equal(flat(out, len(inp)) == flat(inp, 0), related)


@given(FACTORS, st.lists(st.integers(1, 4), max_size=2))
def test_factors_that_agree_are_followed_exactly_up_to_the_first_that_does_not(
    shared: list[int], rest: list[int]
) -> None:
    out, inp = [*shared, *rest], [*shared, prod(rest)]
    related = relate(out, inp, **vars(atom_of(flat_equal(numbered(out), numbered(inp)))))
    leading = flat(shared, len(rest) + len(inp)) == flat(shared, 1)
    assert not (related & ~leading).any()


@given(FACTORS, FACTORS, st.integers(-5, 5))
def test_a_shift_holds_wherever_positions_differ_by_it(out: list[int], inp: list[int], shift: int) -> None:
    constraints = flat_shifted(numbered(out), numbered(inp), Dim.of(shift))
    related = relate(out, inp, **vars(atom_of(constraints)))
    assert np.array_equal(flat(out, len(inp)) - flat(inp, 0) == shift, related)


@given(FACTORS, st.data())
def test_one_position_is_exact(sizes: list[int], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, prod(sizes) - 1))
    related = relate([], sizes, ranges=frozenset(at_position(numbered(sizes), Dim.of(position))))
    assert (related == (flat(sizes, 0) == position)).all()


def test_a_size_of_one_is_broadcast_and_missing_axes_are_left_out() -> None:
    out = floats(BATCH, SRC, 4)
    assert broadcast_axes(out, floats(SRC, 1)) == [(1, 0)]
    assert broadcast_axes(out, floats(1, SRC, 4)) == [(1, 1), (2, 2)]


def test_symbolic_factors_are_compared_as_polynomials() -> None:
    grid, other = factored(SRC, 2, BATCH), factored(SRC, 2 * Dim.of(BATCH))
    found = list(flat_equal(list(enumerate(grid.factors)), list(enumerate(other.factors))))
    assert [(d.out, d.inp) for d in found if isinstance(d, Difference)] == [(0, 0)]
    (rest,) = (one for one in found if isinstance(one, Flat))
    assert ([k for k, _ in rest.out], [k for k, _ in rest.inp]) == ([1, 2], [1])
