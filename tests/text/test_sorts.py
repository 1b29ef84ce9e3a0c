"""Paths, values, predicates, masks, types and plain scalars."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given

from archspec.diagnostics import Diagnostic, SpecError
from archspec.masks.registry import atoms
from archspec.text import mask, pred
from archspec.text.nodes import TextNode
from archspec.text.path import parse_path
from archspec.text.pred import parse_pred
from archspec.text.reserved import RESERVED
from archspec.text.scalars import parse_axis, parse_bool, parse_decimal, parse_int
from archspec.text.types import parse_type
from archspec.text.value import parse_value, paths
from tests.text import strategies
from tests.text.strategies import text


def parse_mask(node: TextNode, known_names: tuple[str, ...] = ()) -> mask.MaskSyntax:
    return mask.parse_mask(node, atoms(), known_names)


def node(written: str) -> TextNode:
    return TextNode.of(written, "spec.yaml")


def error(parse, written: str) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        parse(node(written))
    (found,) = raised.value.diagnostics
    assert found.primary is not None
    return found


@given(strategies.paths)
def test_paths_round_trip(tree) -> None:
    parsed = parse_path(text(tree))
    assert parsed == tree
    assert [parsed.part_span(index).text for index in range(len(tree.parts))] == list(tree.parts)


@given(strategies.values)
def test_values_round_trip(tree) -> None:
    assert parse_value(text(tree)) == tree


@given(strategies.preds)
def test_predicates_round_trip(tree) -> None:
    assert parse_pred(text(tree)) == tree


@given(strategies.masks)
def test_masks_round_trip(tree) -> None:
    parsed = parse_mask(text(tree))
    assert parsed == tree
    assert parse_mask(TextNode.of(parsed.span.text)) == tree


def test_value_paths_each_once() -> None:
    value = parse_value(node("u * silu(a.weights.0) - -u / 2"))
    assert [str(path) for path in paths(value)] == ["u", "a.weights.0"]


def test_precedence_of_predicates() -> None:
    found = parse_pred(node("a or not ids != n - 1 and b"))
    assert isinstance(found, pred.PredOr)
    assert isinstance(found.right, pred.PredAnd)
    assert isinstance(found.right.left, pred.PredNot)
    compared = found.right.left.operand
    assert isinstance(compared, pred.PredCompare)
    assert (str(compared.path), compared.op, str(compared.expr)) == ("ids", "!=", "n - 1")


def test_precedence_of_masks() -> None:
    found = parse_mask(node("all | causal & last(2 * n)"))
    assert isinstance(found, mask.MaskOr)
    assert isinstance(found.right, mask.MaskAnd)
    grouped = parse_mask(node("(all | causal) & last(2 * n)"))
    assert isinstance(grouped, mask.MaskAnd)
    assert grouped.left.span.text == "(all | causal)"


def test_fields_of_a_block_are_masks_where_they_are_known() -> None:
    found = parse_mask(node("mask & causal"), known_names=("mask",))
    assert isinstance(found, mask.MaskAnd)
    assert found.left == mask.MaskName(name="mask", span=found.span)
    assert error(parse_mask, "mask & causal").code == "E123"


def test_prefix_keeps_names_open_and_paths_whole() -> None:
    assert str(parse_mask(node("prefix(p + 1)"))) == "prefix(p + 1)"
    assert str(parse_mask(node("prefix(source.length)"))) == "prefix(source.length)"


def test_types() -> None:
    found = parse_type(node("int64[batch, 2*src + 1] < vocab"))
    assert (found.dtype, [str(axis) for axis in found.axes], str(found.bound)) == (
        "int64",
        ["batch", "2 * src + 1"],
        "vocab",
    )
    assert str(found) == "int64[batch, 2 * src + 1] < vocab"
    assert found.span.text == "int64[batch, 2*src + 1] < vocab"
    assert parse_type(node("bool[b]")).bound is None


@pytest.mark.parametrize(
    ("parse", "written", "code", "marked", "help"),
    [
        (parse_path, "", "E120", "", None),
        (parse_path, "a b", "E120", "b", "a path is names and indices joined by dots"),
        (parse_path, "a.", "E120", ".", "names are letters, digits and underscores"),
        (parse_value, "x // 2", "E120", "//", "values support + - * / with exp, relu, sigmoid, silu and tanh"),
        (parse_value, "sigmod(x)", "E122", "sigmod", "did you mean `sigmoid`?"),
        (parse_value, "u *", "E120", "", None),
        (parse_pred, "a & b", "E120", "&", "write `and`"),
        (parse_pred, "a = b", "E120", "=", "write `==` to compare"),
        (parse_pred, "a < b < c", "E120", "<", "join two comparisons with `and`"),
        (parse_pred, "0 != a", "E120", "0", "compare a value with an expression, with the value first: `ids != 0`"),
        (parse_pred, "a and", "E120", "", None),
        (parse_mask, "casual", "E123", "casual", "did you mean `causal`?"),
        (parse_mask, "all & key_vlid(x)", "E123", "key_vlid", "did you mean `key_valid`?"),
        (parse_mask, "causal and all", "E120", "and", "write `&`"),
        (parse_mask, "causal, all", "E120", ",", "masks do not take commas; join them with `&` or `|`"),
        (parse_mask, "last", "E120", "last", "write `last(n)`"),
        (parse_mask, "causal()", "E120", "(", "write `causal`"),
        (parse_mask, "not causal", "E120", "not", None),
        (parse_mask, "key_valid(a, b)", "E120", ",", "expected one argument"),
        (parse_mask, "key_valid(not)", "E120", ")", None),
        (parse_type, "flaot[a]", "E124", "flaot", "did you mean `float`?"),
        (parse_type, "float", "E120", "", "write the axes in brackets: `float[batch, length]`"),
        (parse_type, "float[a] < 3", "E120", "<", "only int64 and int32 can have a bound"),
        (parse_type, "float[a", "E120", "", "separate the axes with commas and close the bracket"),
        (parse_type, "float[]", "E120", "]", None),
        (parse_type, "bool[a] b", "E120", "b", None),
        (parse_bool, "yes", "E125", "yes", "write `true`"),
        (parse_bool, "FALSE", "E125", "FALSE", "write `false`"),
        (parse_bool, "maybe", "E125", "maybe", "write `true` or `false`"),
        (parse_int, "1.0", "E121", "1.0", None),
        (parse_int, "010", "E121", "010", None),
        (parse_int, "9" * 5000, "E121", "9" * 5000, None),
        (parse_decimal, ".5", "E121", ".5", None),
        (parse_decimal, "1e999", "E121", "1e999", None),
        (parse_axis, "a b", "E120", "a b", None),
    ],
)
def test_errors(parse, written: str, code: str, marked: str, help: str | None) -> None:
    found = error(parse, written)
    assert (found.code, found.primary.span.text) == (code, marked)
    assert help is None or found.help == help


def test_plain_scalars() -> None:
    assert [parse_bool(node(word)) for word in ("true", "false")] == [True, False]
    assert [parse_int(node(word)) for word in ("0", "-12", "8")] == [0, -12, 8]
    assert [parse_decimal(node(word)) for word in ("1e-6", "-0.5", "2.50E+1", "3")] == [
        Fraction(1, 10**6),
        Fraction(-1, 2),
        Fraction(25),
        Fraction(3),
    ]
    assert [parse_axis(node(word)) for word in ("-1", "0", "length")] == [-1, 0, "length"]


def test_reserved_words() -> None:
    assert {"layer", "sqrt", "exp", "not", "none", "true"} <= RESERVED
    assert "mask" not in RESERVED
