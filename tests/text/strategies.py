"""Random syntax trees, and random text near and far from the language."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from archspec.diagnostics import Source, Span
from archspec.text import expr, mask, pred, value
from archspec.text.arithmetic import Number
from archspec.text.nodes import TextNode
from archspec.text.path import Path

NOWHERE = Span(Source("none", ""), 0, 0)
NAMES = ("batch", "d_model", "heads", "x", "_y2")

WORDS = (
    *("sqrt", "exp", "relu", "a", "b.c", "x.0.y", "d_model", "layer", "and", "or", "not", "all", "causal", "last"),
    *("within", "key_valid", "query_valid", "same_segment", "prefix", "float", "int64", "bool", "true", "none"),
    *("8", "0", "010"),
    *("1e-6", "0.5", "1.", ".5", "1e999", "1_0", "+", "-", "*", "/", "//", "%", "**", "(", ")", "[", "]", ",", "<"),
    *("<=", "==", "!=", "=", "!", "&", "|", "&&", " ", "\n", "\t", ".", "é", "'", '"', "\\", "$", "\x00", "\ud800"),
)
"""Pieces of the language and near misses."""

SOUP = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(WORDS), max_size=40).map("".join),
    st.lists(st.sampled_from(WORDS), max_size=300).map(" ".join),
    st.builds(lambda text, count: text * count, st.sampled_from(WORDS), st.integers(0, 2000)),
)


def text(node: object) -> TextNode:
    """The printed form of a tree, as a field would hold it."""
    return TextNode.of(str(node), "spec.yaml")


decimals = st.builds(lambda digits, places: Fraction(digits, 10**places), st.integers(0, 10**12), st.integers(0, 14))
numbers = st.builds(lambda found: Number(value=found, span=NOWHERE), decimals)
names = st.sampled_from(NAMES).map(lambda name: expr.Name(name=name, span=NOWHERE))
paths = st.lists(st.sampled_from((*NAMES, "0", "12")), min_size=0, max_size=3).flatmap(
    lambda rest: st.sampled_from(NAMES).map(lambda first: Path(parts=(first, *rest), span=NOWHERE))
)


def _expr(inner: st.SearchStrategy) -> st.SearchStrategy:
    ops = st.sampled_from(("+", "-", "*", "/", "//", "%"))
    return st.one_of(
        st.builds(lambda a: expr.UnaryExpr(op="-", operand=a, span=NOWHERE), inner),
        st.builds(lambda op, a, b: expr.BinaryExpr(op=op, left=a, right=b, span=NOWHERE), ops, inner, inner),
        st.builds(lambda a: expr.CallExpr(function="sqrt", argument=a, span=NOWHERE), inner),
    )


def _value(inner: st.SearchStrategy) -> st.SearchStrategy:
    ops, calls = st.sampled_from("+-*/"), st.sampled_from(value.FUNCTIONS)
    return st.one_of(
        st.builds(lambda a: value.ValueUnary(op="-", operand=a, span=NOWHERE), inner),
        st.builds(lambda op, a, b: value.ValueBinary(op=op, left=a, right=b, span=NOWHERE), ops, inner, inner),
        st.builds(lambda f, a: value.ValueCall(function=f, argument=a, span=NOWHERE), calls, inner),
    )


exprs = st.recursive(st.one_of(numbers, names), _expr, max_leaves=12)
values = st.recursive(st.one_of(numbers, paths), _value, max_leaves=12)

comparisons = st.builds(
    lambda path, op, e: pred.PredCompare(path=path, op=op, expr=e, span=NOWHERE),
    paths,
    st.sampled_from(pred.COMPARISONS),
    st.recursive(st.one_of(numbers, names), _expr, max_leaves=3),
)
preds = st.recursive(
    st.one_of(paths.map(lambda path: pred.PredPath(path=path, span=NOWHERE)), comparisons),
    lambda inner: st.one_of(
        st.builds(lambda a: pred.PredNot(operand=a, span=NOWHERE), inner),
        st.builds(lambda a, b: pred.PredAnd(left=a, right=b, span=NOWHERE), inner, inner),
        st.builds(lambda a, b: pred.PredOr(left=a, right=b, span=NOWHERE), inner, inner),
    ),
    max_leaves=6,
)


def call(word: str, argument: expr.Expr | pred.PredExpr | Path | None) -> mask.MaskCall:
    """An atom of a mask."""
    return mask.MaskCall(word=word, argument=argument, span=NOWHERE)


dotted = paths.filter(lambda path: len(path.parts) > 1)
masks = st.recursive(
    st.one_of(
        st.sampled_from(("all", "causal")).map(lambda word: call(word, None)),
        st.builds(call, st.sampled_from(("last", "within")), exprs),
        st.builds(call, st.sampled_from(("key_valid", "query_valid")), preds),
        paths.map(lambda p: call("same_segment", p)),
        st.one_of(exprs, dotted).map(lambda e: call("prefix", e)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda a, b: mask.MaskAnd(left=a, right=b, span=NOWHERE), inner, inner),
        st.builds(lambda a, b: mask.MaskOr(left=a, right=b, span=NOWHERE), inner, inner),
    ),
    max_leaves=4,
)
