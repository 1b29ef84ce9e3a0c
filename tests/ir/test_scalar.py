"""Numbers against fractions and `math`, and their Python source against their value."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
SYMBOLS = (Symbol("n", 1, 4, 64), Symbol("w", 32, 64, 512, 32))
n, w = map(Dim.of, SYMBOLS)
sizes_of_symbols = st.fixed_dictionaries(
    {"n": st.integers(1, 64), "w": st.integers(1, 16).map(lambda count: 32 * count)}
)
constants = st.integers(-40, 40) | st.fractions(min_value=-8, max_value=8, max_denominator=40)
leaves = constants | st.sampled_from(SYMBOLS)
rationals = st.recursive(
    leaves, lambda inner: st.tuples(st.sampled_from(sorted(OPERATORS)), inner, inner), max_leaves=6
)
rooted = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from("+-*/"), inner, inner) | st.tuples(st.just("sqrt"), inner),
    max_leaves=6,
)

any_tree = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from(sorted(OPERATORS)), inner, inner) | st.tuples(st.just("sqrt"), inner),
    max_leaves=8,
)


def build(tree) -> Scalar:
    """The tree as a number; what has no value for any size rejects the example."""
    if not isinstance(tree, tuple):
        return Scalar.of(tree)
    try:
        parts = [build(part) for part in tree[1:]]
        return parts[0].sqrt() if tree[0] == "sqrt" else OPERATORS[tree[0]](*parts)
    except (ZeroDivisionError, ValueError):
        assume(False)


def exact(tree, sizes) -> Fraction:
    if not isinstance(tree, tuple):
        return Fraction(sizes[tree.name] if isinstance(tree, Symbol) else tree)
    return Fraction(OPERATORS[tree[0]](exact(tree[1], sizes), exact(tree[2], sizes)))


def approximate(tree, sizes) -> float:
    if not isinstance(tree, tuple):
        return float(sizes[tree.name] if isinstance(tree, Symbol) else tree)
    parts = [approximate(part, sizes) for part in tree[1:]]
    return math.sqrt(*parts) if tree[0] == "sqrt" else OPERATORS[tree[0]](*parts)


def run(source: str, sizes) -> float:
    """The value of emitted source, which reads its sizes from shapes."""
    tensor = type("Tensor", (), {"shape": (sizes.get("n"), sizes.get("w"))})
    return float(eval(source, {"__builtins__": {}, "math": math, "x": tensor}))


def from_shape(size: Dim) -> str:
    return size.spelled({"n": "x.shape[0]", "w": "x.shape[1]"}.__getitem__)


@given(rationals, sizes_of_symbols)
def test_rationals_are_exact(tree, sizes):
    number = build(tree)
    try:
        expected = exact(tree, sizes)
    except ZeroDivisionError:
        assume(False)
    assert number.evaluate(sizes) == float(expected)
    assert run(number.python(from_shape), sizes) == float(expected)
    assert number.constant() is None or number.constant() == expected
    size = number.as_dim()
    assert size is None or size.value(sizes) == expected


@given(any_tree, sizes_of_symbols)
def test_source_has_the_value_of_evaluate(tree, sizes):
    number = build(tree)
    try:
        expected = number.evaluate(sizes)
    except (ZeroDivisionError, ValueError):
        assume(False)
    assert run(number.python(from_shape), sizes) == expected


@given(rooted, sizes_of_symbols)
def test_roots_agree_with_floats(tree, sizes):
    number = build(tree)
    try:
        expected = approximate(tree, sizes)
        close = math.isclose(number.evaluate(sizes), expected, rel_tol=1e-6, abs_tol=1e-6)
    except (ZeroDivisionError, ValueError):
        assume(False)
    # Where floats cancel, neither side is accurate, and a divisor near zero spreads it.
    assert close or abs(expected) > 1e6 or _cancels(tree, sizes)


def _cancels(tree, sizes) -> bool:
    if not isinstance(tree, tuple):
        return False
    parts = [abs(approximate(part, sizes)) for part in tree[1:]]
    lost = tree[0] in "+-" and abs(approximate(tree, sizes)) < 1e-3 * max(parts)
    return lost or any(_cancels(part, sizes) for part in tree[1:])


@given(rationals, rationals)
def test_equal_numbers_have_equal_hashes(left, right):
    a, b = build(left), build(right)
    assert (a + b) - b == a
    assert hash((a + b) - b) == hash(a)
    assert a * b == b * a
    assert hash(a * b) == hash(b * a)


def test_equality_does_not_need_lowest_terms():
    left, right = Scalar.of((n + 1) * (w + 1)) / ((n + 2) * (w + 1)), Scalar.of(n + 1) / (n + 2)
    assert left == right
    assert hash(left) == hash(right)
    assert Scalar.of(n) == n
    assert hash(Scalar.of(n)) == hash(n)
    assert Scalar.of(n) / 2 != n


@pytest.mark.parametrize(
    ("number", "source"),
    [
        (Scalar.of(8), "8"),
        (Scalar.of(-8), "-8"),
        (Scalar.of(8) / 64, "0.125"),
        (Scalar.of(Fraction("1e-5")), "1e-05"),
        (Scalar.of(Fraction("0.1")), "0.1"),
        (Scalar.of(1) / 3, "1 / 3"),
        (Scalar.of(512).sqrt(), "math.sqrt(512)"),
        (1 / Scalar.of(64).sqrt(), "0.125"),
        (1 / Scalar.of(96).sqrt(), "1 / math.sqrt(96)"),
        (1 / Scalar.of(n).sqrt(), "1 / math.sqrt(x.shape[0])"),
        (1 / Scalar.of(n), "1 / x.shape[0]"),
        (Scalar.of(n) / 2, "x.shape[0] / 2"),
        (Scalar.of(n + 1) / n, "(x.shape[0] + 1) / x.shape[0]"),
        (Scalar.of(w) / 64 * 4, "x.shape[1]//16"),
        (Scalar.of(w) / 16 * Scalar.of(2).sqrt(), "(x.shape[1]//16) * math.sqrt(2)"),
        (1 / (Scalar.of(2).sqrt() * 3), "1 / (math.sqrt(2) * 3)"),
        (2 - (Scalar.of(2).sqrt() - 1), "2 - (math.sqrt(2) - 1)"),
        (Scalar.of(2).sqrt().sqrt(), "math.sqrt(math.sqrt(2))"),
    ],
)
def test_python(number, source):
    assert number.python(from_shape) == source


@pytest.mark.parametrize(
    ("number", "size"),
    [
        (Scalar.of(4 * n) / 2, 2 * n),
        (Scalar.of(n) / 2, None),
        (Scalar.of(n) / 2 * 2, n),
        (Scalar.of(n * n - 1) / (n - 1), n + 1),
        (Scalar.of(n * w) / n, w),
        ((Scalar.of(3 * n + 3) / (2 * n + 2)) * 2, Dim.of(3)),
        (Scalar.of(w) / 32, w // 32),
        (Scalar.of(n) // 2, n // 2),
        (Scalar.of(n) / 2 // 3, n // 6),
        (Scalar.of(512).sqrt(), None),
        (Scalar.of(64).sqrt(), Dim.of(8)),
        (Scalar.of(n * n + 2 * n + 1).sqrt(), n + 1),
        (Scalar.of(n * n - 2 * n * w + w * w).sqrt(), None),
        (Scalar.of(n).sqrt() * Scalar.of(n).sqrt(), n),
        (Scalar.of(2).sqrt() - Scalar.of(2).sqrt(), Dim.of(0)),
    ],
)
def test_as_dim(number, size):
    assert number.as_dim() == size


def test_constants_stay_exact_until_a_root():
    assert (Scalar.of(1) / 3 + Fraction(1, 6)).constant() == Fraction(1, 2)
    assert Scalar.of(Fraction(9, 4)).sqrt().constant() == Fraction(3, 2)
    root = (1 / Scalar.of(2).sqrt()).constant()
    assert isinstance(root, float)
    assert root == 1 / math.sqrt(2)
    assert Scalar.of(n).constant() is None
    assert (Scalar.of(n) / n).constant() == 1


def test_symbols():
    assert (Scalar.of(n).sqrt() + Scalar.of(1) / w).symbols() == set(SYMBOLS)
    assert (Scalar.of(n) / n).symbols() == frozenset()


@pytest.mark.parametrize("divide", [operator.truediv, operator.floordiv, operator.mod])
@pytest.mark.parametrize("num", [Scalar.of(3), Scalar.of(n), Scalar.of(2).sqrt(), n, 3])
def test_division_by_zero(divide, num):
    with pytest.raises(ZeroDivisionError):
        divide(num, Scalar.of(n) - n)


def test_a_negative_has_no_root():
    with pytest.raises(ValueError, match="negative"):
        Scalar.of(-2).sqrt()
    with pytest.raises(ValueError, match="negative"):
        (1 - Scalar.of(2).sqrt()).sqrt()


def test_foreign_operands_are_refused():
    with pytest.raises(TypeError):
        Scalar.of(1) + 0.5
    with pytest.raises(TypeError):
        Scalar.of("1")
