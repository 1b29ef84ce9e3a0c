"""Whatever the text, the only exception is a SpecError whose places exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import CODES, SpecError, explain, render, to_json
from archspec.text.expr import number, parse_expr, size
from archspec.text.nodes import TextNode
from archspec.text.path import parse_path
from archspec.text.pred import parse_pred
from archspec.text.reader import read_bytes
from archspec.text.scalars import parse_axis, parse_bool, parse_decimal, parse_int
from archspec.text.types import parse_type
from archspec.text.value import parse_value
from tests.text.strategies import SOUP
from tests.text.test_sorts import parse_mask

BASE = (Path(__file__).parent / "transformer_base.yaml").read_text("utf-8")
KNOWN = {"d_model": Scalar.of(512), "heads": Scalar.of(8)}
PARSERS = (
    *(parse_expr, parse_path, parse_value, parse_pred, parse_mask, parse_type),
    *(parse_bool, parse_int, parse_decimal, parse_axis),
)
BY_SORT = {
    "yaml": lambda text: read_bytes("spec.yaml", text.encode()),
    "expr": lambda text: parse_expr(TextNode.of(text)),
    "size": lambda text: size(parse_expr(TextNode.of(text)), KNOWN),
    "mask": lambda text: parse_mask(TextNode.of(text)),
    "type": lambda text: parse_type(TextNode.of(text)),
    "bool": lambda text: parse_bool(TextNode.of(text)),
}


def check(error: SpecError) -> None:
    assert render(error.diagnostics)
    for found in error.diagnostics:
        assert found.code in CODES
        assert to_json(found)["message"]
        for label in (*([found.primary] if found.primary else []), *found.secondary):
            assert 0 <= label.span.start <= label.span.end <= len(label.span.source.text)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(text=SOUP)
def test_parsers(parse, text: str) -> None:
    try:
        found = parse(TextNode.of(text))
    except SpecError as error:
        check(error)
    else:
        assert str(found) or found == 0


@given(text=SOUP)
def test_evaluation(text: str) -> None:
    try:
        number(parse_expr(TextNode.of(text)), {"a": Scalar.of(3), "d_model": Scalar.of(0)})
    except SpecError as error:
        check(error)


def read_or_refuse(data: bytes) -> None:
    try:
        read_bytes("spec.yaml", data)
    except SpecError as error:
        check(error)


@given(st.binary(max_size=300))
def test_reader_on_bytes(data: bytes) -> None:
    read_or_refuse(data)


PIECES = (
    *("{", "}", "[", "]", "(", ")", ",", ":", ": ", "- ", "? ", "&a ", "*a", "!t ", "<<: ", "|", ">", "'", '"', "#"),
    *("\n", "\n  ", "\t", " ", "%", "@", "`", "---\n", "...\n", "~", "null", "\\", "\x85", "\u2028", "\r", "é", "\x00"),
)


@given(st.lists(st.sampled_from((*PIECES, "a", "b", "1")), max_size=60).map("".join))
def test_reader_on_pieces_of_yaml(text: str) -> None:
    read_or_refuse(text.encode())


@given(
    st.lists(
        st.tuples(st.integers(0, len(BASE)), st.integers(0, 12), st.sampled_from(("", *PIECES))),
        min_size=1,
        max_size=4,
    )
)
def test_reader_on_edits_of_a_spec(edits: list[tuple[int, int, str]]) -> None:
    text = BASE
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    read_or_refuse(text.encode())


def test_hostile_files_are_refused_quickly() -> None:
    for text in ("[" * 200_000, "{a: " * 60_000, "- " * 100_000, "a: " * 80_000, "? " * 100_000, "a: &b " * 40_000):
        with pytest.raises(SpecError) as raised:
            read_bytes("spec.yaml", text.encode())
        check(raised.value)


def _fences(code: str) -> list[tuple[str, str]]:
    parts = explain(code).split("```")[1::2]
    return [(part.split("\n", 1)[0], part.split("\n", 1)[1].rstrip("\n")) for part in parts]


TEXT_CODES = [code for code in CODES if code.startswith("E1") or code in ("E201", "E301", "E302", "E303")]


@pytest.mark.parametrize("code", TEXT_CODES)
def test_the_example_of_a_page_raises_its_code_and_the_other_does_not(code: str) -> None:
    (sort, example), (_, instead) = _fences(code)
    if sort == "text":
        return  # a file too large, or not text at all, cannot be shown on a page
    with pytest.raises(SpecError) as raised:
        BY_SORT[sort](example)
    assert [found.code for found in raised.value.diagnostics] == [code]
    BY_SORT[sort](instead)
