"""Zeros of sizes against all sizes tried one by one."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.algebra.zeros import Zeros, zeros
from archspec.diagnostics import Source, SpecError
from archspec.text.expr import Expr, evaluate, parse_expr, size
from archspec.text.nodes import TextNode

S, T = Symbol("s", 1, 5, 12), Symbol("t", 2, 4, 10, 2)
_LEAVES = st.sampled_from([Dim.of(S), Dim.of(T)]) | st.integers(-9, 9).map(Dim.of)
_DIVISORS = st.integers(1, 5).map(Dim.of) | st.sampled_from([Dim.of(S), Dim.of(T) + 1])


def _grown(inner: st.SearchStrategy[Dim]) -> st.SearchStrategy[Dim]:
    pairs = st.tuples(inner, inner)
    whole = pairs.map(lambda p: p[0] + p[1]) | pairs.map(lambda p: p[0] - p[1]) | pairs.map(lambda p: p[0] * p[1])
    parts = st.tuples(inner, _DIVISORS)
    return whole | parts.map(lambda p: p[0] // p[1]) | parts.map(lambda p: p[0] % p[1])


@given(st.recursive(_LEAVES, _grown, max_leaves=6))
@settings(max_examples=300, deadline=None)
def test_zeros_are_those_that_trying_all_sizes_finds(dim: Dim) -> None:
    every = [{"s": s, "t": t} for s, t in product(range(1, 13), range(2, 11, 2))]
    expected = any(dim.value(sizes) == 0 for sizes in every)
    found = zeros(dim)
    assert found.decided
    assert (found.at is not None) == expected
    if found.at is not None:
        assert dim.value({"s": 1, "t": 2, **found.at}) == 0


def test_one_zero_in_a_large_range_is_found() -> None:
    length = Dim.of(Symbol("length", 1, 64, 10**9))
    assert zeros(length * length - 123456789 * length).at == {"length": 123456789}
    assert zeros(length * length - 123456789 * length + 1) == Zeros()


def test_a_range_that_is_too_large_to_search_is_undecided() -> None:
    # 2 is no square modulo 3, so there is no zero; intervals do not see that.
    a, b = (Dim.of(Symbol(name, 10**5, 10**6, 10**9)) for name in "ab")
    assert zeros(a * a - 3 * b * b - 2) == Zeros(decided=False)


NAMES = {"length": Scalar.of(Symbol("length", 1, 64, 512)), "width": Scalar.of(Symbol("width", 1, 64, 512))}


@pytest.mark.parametrize("written", ["144//(length - 3)", "144 % (3 - length)", "(length - 3)//(length - 3)"])
def test_a_division_by_zero_inside_the_range_of_a_dim_is_refused(written: str) -> None:
    with pytest.raises(SpecError) as raised:
        size(_parsed(written), NAMES)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E303", "division by zero at length = 3")


def test_a_number_is_refused_like_a_size_and_two_dims_are_compared() -> None:
    with pytest.raises(SpecError) as raised:
        evaluate(_parsed("1/sqrt(length - width)"), NAMES)
    assert raised.value.diagnostics[0].message == "division by zero at length = 1, width = 1"


def test_a_divisor_that_is_never_zero_is_accepted() -> None:
    for written in ("144//(2*length - 3)", "144//length", "144 % (length*width)", "144//(length + width)"):
        assert size(_parsed(written), NAMES)


def test_a_divisor_that_cannot_be_judged_is_refused() -> None:
    with pytest.raises(SpecError) as raised:
        evaluate(_parsed("1/(sqrt(length) - 1)"), NAMES)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E303", "cannot prove that `(sqrt(length) - 1)` is never zero")


def _parsed(written: str) -> Expr:
    return parse_expr(TextNode(value=written, span=Source("test", written).span(0, len(written))))
