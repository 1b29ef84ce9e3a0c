"""Sizes against plain Python integers, at every admitted size where the ranges are small."""

from __future__ import annotations

import ast
import itertools
import operator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol, compare, product

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}
COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NODES = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
SRC = Symbol("src", 1, 64, 512)
HEIGHT = Symbol("height", 32, 224, 512, 32)
GH = Symbol("gh", 1, 14, 32)
GW = Symbol("gw", 1, 14, 32)
LAYER = Symbol("layer", 0, 0, 11)
src, height, gh, gw = map(Dim.of, (SRC, HEIGHT, GH, GW))

# Few sizes each, so that a claim about all of them can be checked; one may be zero, one has a multiple.
SMALL = (Symbol("a", 1, 2, 5), Symbol("b", 0, 3, 3), Symbol("c", 4, 8, 16, 4))
GRID = [
    dict(zip("abc", sizes, strict=True))
    for sizes in itertools.product(*(range(s.min, s.max + 1, s.multiple) for s in SMALL))
]

Tree = int | Symbol | tuple[str, "Tree", "Tree"]
leaves = st.sampled_from(SMALL) | st.integers(-9, 9)


def trees(operators):
    def node(inner):
        return st.tuples(st.sampled_from(operators), inner, inner)

    return st.recursive(leaves, node, max_leaves=6)


polynomials = trees(["+", "-", "*"])
expressions = trees(["+", "-", "*", "//", "%"])
divided_by_positive = st.recursive(
    leaves,
    lambda inner: (
        st.tuples(st.sampled_from("+-*"), inner, inner)
        | st.tuples(st.sampled_from(["//", "%"]), inner, st.integers(1, 12))
    ),
    max_leaves=6,
)


def build(tree: Tree) -> Dim:
    """The tree as a size; a constant zero in a denominator rejects the example."""
    if not isinstance(tree, tuple):
        return Dim.of(tree)
    op, left, right = tree[0], build(tree[1]), build(tree[2])
    assume(op in "+-*" or right != 0)
    return OPERATORS[op](left, right)


def reference(tree: Tree, sizes) -> int:
    if not isinstance(tree, tuple):
        return sizes[tree.name] if isinstance(tree, Symbol) else tree
    return OPERATORS[tree[0]](reference(tree[1], sizes), reference(tree[2], sizes))


def defined(tree: Tree):
    """Every admitted assignment at which Python can compute the tree, with its value there."""
    for sizes in GRID:
        try:
            yield sizes, reference(tree, sizes)
        except ZeroDivisionError:
            continue


def parsed(text: str, sizes) -> int:
    """The value of printed arithmetic."""

    def visit(node: ast.AST) -> int:
        match node:
            case ast.Expression(body):
                return visit(body)
            case ast.Constant(int(value)):
                return value
            case ast.Name(name):
                return sizes[name]
            case ast.UnaryOp(ast.USub(), operand):
                return -visit(operand)
            case ast.BinOp(left, op, right):
                return NODES[type(op)](visit(left), visit(right))
        raise AssertionError(ast.dump(node))

    return visit(ast.parse(text, mode="eval"))


@given(expressions)
def test_value_and_text_agree_with_python(tree):
    dim = build(tree)
    text = str(dim)
    for sizes, expected in defined(tree):
        assert dim.value(sizes) == expected
        assert parsed(text, sizes) == expected


@pytest.mark.parametrize("outer", ["//", "%"])
@pytest.mark.parametrize("inner", ["//", "%"])
def test_nested_divisions_agree_with_python(inner, outer):
    length = Symbol("length", 0, 7, 40)
    for first, second, shift in itertools.product(range(1, 9), range(1, 9), (-3, 0, 1)):
        dim = OPERATORS[outer](OPERATORS[inner](Dim.of(length), first) + shift, second)
        for size in range(41):
            expected = OPERATORS[outer](OPERATORS[inner](size, first) + shift, second)
            assert dim.value({"length": size}) == expected, dim
            assert dim.minimum() <= expected <= dim.maximum()


@given(divided_by_positive)
def test_positive_divisors_agree_with_python_everywhere(tree):
    dim = build(tree)
    values = [reference(tree, sizes) for sizes in GRID]
    assert [dim.value(sizes) for sizes in GRID] == values
    assert dim.minimum() <= min(values)
    assert dim.maximum() >= max(values)
    assert dim.typical() == reference(tree, {s.name: s.typical for s in SMALL})


@given(expressions)
def test_bounds_are_sound(tree):
    dim = build(tree)
    for _, expected in defined(tree):
        assert dim.minimum() <= expected <= dim.maximum()


@given(polynomials, polynomials)
def test_equal_exactly_when_equal_as_functions(left, right):
    a, b = build(left), build(right)
    beyond = [dict(zip("abc", (x, y, 4 * z), strict=True)) for x, y, z in itertools.product(range(7), repeat=3)]
    same = all(reference(left, sizes) == reference(right, sizes) for sizes in beyond)
    assert (a == b) == same
    assert not same or (hash(a) == hash(b) and str(a) == str(b))


@given(polynomials, polynomials, polynomials)
def test_ring_laws(first, second, third):
    a, b, c = build(first), build(second), build(third)
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) + c == a + (b + c)
    assert (a * b) * c == a * (b * c)
    assert a * (b + c) == a * b + a * c
    assert a - a == 0
    assert a + 0 == a * 1 == a
    assert hash(a * (b + c)) == hash(c * a + b * a)
    if b != 0:
        assert (a * b) // b == a
        assert (a * b) % b == 0


@given(divided_by_positive, divided_by_positive, st.sampled_from(sorted(COMPARISONS)))
def test_comparisons_are_never_wrong(left, right, op):
    verdict = compare(build(left), op, build(right))
    truths = {COMPARISONS[op](reference(left, sizes), reference(right, sizes)) for sizes in GRID}
    assert verdict is None or truths == {verdict}


@given(divided_by_positive, st.integers(1, 12))
def test_quotient_and_remainder_make_the_whole(tree, divisor):
    dim = build(tree)
    assert compare(dim // divisor * divisor + dim % divisor, "==", dim) is True
    assert compare(dim % divisor, ">=", 0) is True
    assert compare(dim % divisor, "<", divisor) is True


def test_polynomials_have_one_form():
    assert (src + 1) * (src - 1) == src * src - 1
    assert len({gh * gw, gw * gh, gh + gh * (gw - 1)}) == 1
    assert Dim.of(4) == 4
    assert hash(src - src + 4) == hash(4)
    assert src != SRC.name


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (src, "src"),
        (4 * src, "4*src"),
        (src // 2, "src//2"),
        (gw * gh + 1, "gh*gw + 1"),
        (src - 1, "src - 1"),
        (1 - src, "-src + 1"),
        (-(src // 2), "-(src//2)"),
        (2 * (src // 2) - src % 3, "2*(src//2) - src % 3"),
        ((src + 1) // 2 * gh, "gh*((src + 1)//2)"),
        ((src - 1) // (gh + 1), "(src - 1)//(gh + 1)"),
        (src * gh // 3, "gh*src//3"),
        (height, "height"),
        (height // 16, "height//16"),
        (3 * (height // 32), "3*(height//32)"),
        (height // 16 * (height // 16), "(height//8)*(height//32)"),
        (height // 48, "(height//16)//3"),
        (Dim.of(-3), "-3"),
        (Dim.of(0), "0"),
        (Dim.of(LAYER) + 1, "layer + 1"),
    ],
)
def test_text(dim, text):
    assert str(dim) == text


def test_spelled_names_symbols_as_asked():
    assert (4 * src // 3 - gh).spelled(
        lambda name: f"sizes[{name!r}]"
    ) == "-sizes['gh'] + sizes['src'] + sizes['src']//3"


@pytest.mark.parametrize(
    ("dim", "expected"),
    [
        (height % 32, 0),
        (height // 16 * 16, height),
        (height * 3 // 32, 3 * (height // 32)),
        ((4 * src + 2) // 2, 2 * src + 1),
        ((4 * src + 3) // 2, 2 * src + 1),
        ((4 * src + 3) % 2, 1),
        ((src // 2) // 3, src // 6),
        (((src + 1) // 2 + 1) // 2, (src + 3) // 4),
        (6 * src % 4, 2 * (src % 2)),
        (src % 6 % 3, src % 3),
        (src // 513, 0),
        (src % 513, src),
        (-src // 512, -1),
        (src // -2, -src // 2),
        (src % -2, -(-src % 2)),
        ((src * src - 1) // (src - 1), src + 1),
        (gh * src // (gh * gw), src // gw),
        (gh * src % (gh * gw), gh * (src % gw)),
        (gh // (gh + gw), 0),
        (gh % (gh + gw), gh),
    ],
)
def test_division_resolves(dim, expected):
    assert dim == expected


@pytest.mark.parametrize(
    ("left", "op", "right", "verdict"),
    [
        (src, "<=", 512, True),
        (src, "<", 512, None),
        (src, ">", 512, False),
        (src, "==", 513, False),
        (src, "!=", 0, True),
        (src, "==", gh, None),
        (src + 1, "==", src, False),
        (2 * src, "==", 2 * gh + 1, False),
        (height, "==", 48, False),
        (src * src, ">=", src, True),
        (src * gh, ">=", src, True),
        (gh * gw, "<=", 1024, True),
        (src // 2, "<=", src, True),
        (src // 2 * 2, "<=", src, True),
        (src // 2 * 2, "==", src, None),
        ((src + 1) // 2, ">=", src // 2, True),
        ((src + 1) // 2 + src // 2, "==", src, True),
        (src - src % 64, ">=", 0, True),
        (src // gh * gh, "<=", src, True),
        (src * src - 10 * src, ">=", -9 * 512, True),
    ],
)
def test_comparisons_decide(left, op, right, verdict):
    assert compare(left, op, right) is verdict


def test_bounds_are_reached_where_dims_are_independent():
    area = (gh - 16) * (gw - 16) + gh
    values = [(x - 16) * (y - 16) + x for x in range(1, 33) for y in range(1, 33)]
    assert area.bounds() == (min(values), max(values))
    assert (src * src - src).bounds() == (0, 512 * 511)


def test_value_takes_real_sizes():
    assert (height // 16).value({"height": 96}) == 6
    with pytest.raises(ValueError, match="height=100 is not a multiple of 32"):
        height.value({"height": 100})
    with pytest.raises(KeyError):
        src.value({})


@pytest.mark.parametrize("divide", [operator.floordiv, operator.mod])
@pytest.mark.parametrize("num", [src, Dim.of(3), 3])
def test_division_by_zero(divide, num):
    with pytest.raises(ZeroDivisionError):
        divide(num, src - src)


@pytest.mark.parametrize("sizes", [(2, 1, 3, 1), (1, 4, 3, 1), (1, 2, 4, 2), (4, 4, 4, 0)])
def test_a_symbol_needs_rising_multiples(sizes):
    with pytest.raises(ValueError, match="rising multiples"):
        Symbol("s", *sizes)


def test_symbols_constant_and_product():
    assert (src // gh + height - height).symbols() == {SRC, GH}
    assert (src - src + 7).constant == 7
    assert src.constant is None
    assert not src.is_constant
    assert product([]) == 1
    assert product([2, SRC, gh]) == 2 * gh * src


def test_foreign_operands_are_refused():
    with pytest.raises(TypeError):
        src + 1.5
    with pytest.raises(TypeError):
        Dim.of("src")
    with pytest.raises(ValueError, match="unknown comparison"):
        compare(src, "=", 1)
