from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import Source

TEXT = st.text(alphabet=st.sampled_from("ab é𝒳\n\r\t"), max_size=40)


@given(TEXT)
def test_positions_agree_with_counting(text: str) -> None:
    source = Source("a", text)
    line, column = 1, 1
    for offset, character in enumerate(text):
        assert source.position(offset) == (line, column)
        ends = character == "\n" or (character == "\r" and text[offset + 1 : offset + 2] != "\n")
        line, column = (line + 1, 1) if ends else (line, column + 1)
    assert source.position(len(text)) == (line, column)


@given(TEXT)
def test_lines_are_those_of_an_editor(text: str) -> None:
    source = Source("a", text)
    expected = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [source.line_text(line) for line in range(1, len(source.line_starts) + 1)] == expected


def test_spans() -> None:
    source = Source("a", "ab\ncd\n")
    span = source.span(1, 4)
    assert (span.text, span.line, span.column, span.end_line, span.end_column) == ("b\nc", 1, 2, 2, 2)
    assert source.span(0, 1).to(source.span(3, 5)).text == "ab\ncd"
    assert source.is_file
    assert not Source("--set", "").is_file
