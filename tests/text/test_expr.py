from __future__ import annotations

import ast
import math
import operator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Diagnostic, SpecError, render
from archspec.text.arithmetic import Number
from archspec.text.expr import BinaryExpr, CallExpr, Name, UnaryExpr, evaluate, names, number, parse_expr, size
from archspec.text.nodes import TextNode
from tests.text.strategies import NAMES, exprs, text

CONSTANTS = {"d_model": Scalar.of(512), "heads": Scalar.of(8), "zero": Scalar.of(0)}
LENGTH = Symbol("length", 1, 64, 512)
PYTHON = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: operator.mod,
}


def error(written: str, read=lambda e: number(e, CONSTANTS)) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        read(parse_expr(TextNode.of(written, "spec.yaml")))
    (found,) = raised.value.diagnostics
    return found


def python_value(source: str, values: dict[str, Fraction]) -> Fraction:
    """The value by Python's own grammar, every literal exact: an oracle that shares nothing with ours."""

    def walk(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant):
            return Fraction(ast.get_source_segment(source, node))
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.UnaryOp):
            return -walk(node.operand)
        assert isinstance(node, ast.BinOp)
        return Fraction(PYTHON[type(node.op)](walk(node.left), walk(node.right)))

    return walk(ast.parse(source, mode="eval").body)


@given(exprs)
def test_printed_expressions_parse_to_themselves(tree) -> None:
    assert parse_expr(text(tree)) == tree


@given(
    exprs.filter(lambda tree: "sqrt" not in str(tree)),
    st.lists(st.fractions(max_denominator=50), min_size=len(NAMES), max_size=len(NAMES)),
)
def test_values_are_those_of_exact_arithmetic(tree, numbers) -> None:
    values = dict(zip(NAMES, numbers, strict=True))
    ours = {name: Scalar.of(found) for name, found in values.items()}
    parsed = parse_expr(text(tree))
    try:
        expected = python_value(str(tree), values)
    except ZeroDivisionError:
        with pytest.raises(SpecError) as raised:
            evaluate(parsed, ours)
        assert raised.value.diagnostics[0].code == "E303"
        return
    assert evaluate(parsed, ours).constant() == expected


@given(exprs)
def test_every_span_covers_its_own_text(tree) -> None:
    parsed = parse_expr(text(tree))
    stack = [parsed]
    while stack:
        node = stack.pop()
        assert parse_expr(TextNode.of(node.span.text)) == node
        if isinstance(node, BinaryExpr):
            stack += [node.left, node.right]
        elif isinstance(node, UnaryExpr):
            stack.append(node.operand)
        elif isinstance(node, CallExpr):
            stack.append(node.argument)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-6", Fraction(1, 10**6)),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("2 - 3 - 4", Fraction(-5)),
        ("12 / 3 * 2", Fraction(8)),
        ("7 // 2 % 2", Fraction(1)),
        ("-2 * -(3 + 1)", Fraction(8)),
        ("-7 // 2", Fraction(-4)),
        ("-7 % 3", Fraction(2)),
        ("1/sqrt(d_model/heads)", Fraction(1, 8)),
        ("1E2", Fraction(100)),
    ],
)
def test_constants(written: str, value: Fraction) -> None:
    assert number(parse_expr(TextNode.of(written)), CONSTANTS).constant() == value


def test_irrational_roots() -> None:
    found = number(parse_expr(TextNode.of("sqrt(d_model)")), CONSTANTS)
    assert found.evaluate({}) == math.sqrt(512)


def test_sizes_keep_run_time_names() -> None:
    known = {**CONSTANTS, "length": Scalar.of(LENGTH)}
    found = size(parse_expr(TextNode.of("(length + 1) * (length - 1) + 1")), known)
    assert found == Dim.of(LENGTH) * LENGTH
    assert size(parse_expr(TextNode.of("length - 8")), known).typical() == 56


def test_names_in_the_written_order() -> None:
    assert names(parse_expr(TextNode.of("b + sqrt(a) * b - -c"))) == ("b", "a", "c")
    assert names(parse_expr(TextNode.of("1"))) == ()


def test_leaves() -> None:
    assert parse_expr(TextNode.of(" d ")) == Name(name="d", span=TextNode.of("d").span)
    assert parse_expr(TextNode.of("(1.50)")) == Number(value=Fraction(3, 2), span=TextNode.of("").span)


@pytest.mark.parametrize(
    ("written", "code", "marked"),
    [
        ("", "E120", ""),
        ("4 d_model", "E120", "d_model"),
        ("4 *", "E120", ""),
        ("* 4", "E120", "*"),
        ("(4", "E120", ""),
        ("4)", "E120", ")"),
        ("()", "E120", ")"),
        ("sqrt(4, 5)", "E120", ","),
        ("2 ** 3", "E120", "**"),
        ("2 ^ 3", "E120", "^"),
        ("a < b", "E120", "<"),
        ("states.layers", "E120", "states.layers"),
        ("d é", "E120", "é"),
        ("010", "E121", "010"),
        ("2d", "E121", "2d"),
        ("1 + 1_000", "E121", "1_000"),
        ("1e400", "E121", "1e400"),
        ("9" * 41, "E121", "9" * 41),
        ("root(4)", "E122", "root"),
        ("(" * 33 + "1" + ")" * 33, "E126", "("),
        ("1/(heads - 8)", "E303", "(heads - 8)"),
        ("1 + sqrt(-4)", "E303", "sqrt(-4)"),
        ("1e300 * 1e300", "E303", "1e300 * 1e300"),
        ("2 * d_modl", "E201", "d_modl"),
    ],
)
def test_errors_point_at_the_characters(written: str, code: str, marked: str) -> None:
    found = error(written)
    assert found.primary is not None
    assert (found.code, found.primary.span.text) == (code, marked)


@pytest.mark.parametrize(
    ("written", "code", "label"),
    [
        ("d_model / 3", "E301", "this is 512/3"),
        ("sqrt(2)", "E301", "this is 1.4142135623730951"),
        ("length / 2", "E301", ""),
        ("heads - d_model", "E302", "this is -504"),
        ("-length", "E302", ""),
    ],
)
def test_sizes_are_whole_and_not_negative(written: str, code: str, label: str) -> None:
    found = error(written, lambda e: size(e, {**CONSTANTS, "length": Scalar.of(LENGTH)}))
    assert found.primary is not None
    assert (found.code, found.primary.text, found.primary.span.text) == (code, label, written)


def test_unknown_name_message() -> None:
    assert render(error("4 * d_modle")) == (
        "error[E201]: unknown name `d_modle`\n"
        " --> spec.yaml:1:5\n"
        "  |\n"
        "1 | 4 * d_modle\n"
        "  |     ^^^^^^^\n"
        "  |\n"
        "  = help: did you mean `d_model`?\n"
    )


def test_unclosed_bracket_message() -> None:
    assert render(error("2 * (heads + 1")) == (
        "error[E120]: expected `)`, found the end\n"
        " --> spec.yaml:1:15\n"
        "  |\n"
        "1 | 2 * (heads + 1\n"
        "  |     - opened here\n"
        "  |               ^\n"
    )


def test_the_largest_expressions_are_safe_to_walk() -> None:
    chain = parse_expr(TextNode.of("+".join(["heads"] * 128)))
    assert evaluate(chain, CONSTANTS).constant() == 1024
    assert (names(chain), hash(chain) == hash(parse_expr(text(chain))), len(repr(chain)) > 128) == (
        ("heads",),
        True,
        True,
    )
    with pytest.raises(SpecError) as raised:
        parse_expr(TextNode.of("+".join(["heads"] * 129)))
    assert raised.value.diagnostics[0].code == "E126"
    nested = parse_expr(TextNode.of("-" * 31 + "heads"))
    assert evaluate(nested, CONSTANTS).constant() == -8
