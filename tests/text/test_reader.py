"""What the reader yields, where it stands, and everything that it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from archspec.diagnostics import Diagnostic, Source, SpecError, render
from archspec.text import builder
from archspec.text.nodes import ListNode, MapNode, Node, TextNode
from archspec.text.reader import MAX_BYTES, read, read_bytes

BASE = (Path(__file__).parent / "transformer_base.yaml").read_text("utf-8")


@pytest.fixture(params=["C", "Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms of PyYAML's parser must give the same nodes and the same messages."""
    if request.param == "Python":
        monkeypatch.setattr(builder, "_LOADER", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML without libyaml")


def plain(node: Node) -> object:
    if isinstance(node, TextNode):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {entry.key.value: plain(entry.value) for entry in node.entries}


def errors(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as raised:
        read(Source("spec.yaml", text))
    return raised.value.diagnostics


def refused(text: str) -> list[tuple[str, str]]:
    """Code and marked text of each error."""
    return [(found.code, found.primary.span.text if found.primary else "") for found in errors(text)]


def test_a_whole_spec_reads_as_yaml_reads_it() -> None:
    assert plain(read(Source("spec.yaml", BASE))) == yaml.load(BASE, Loader=yaml.BaseLoader)


def spans(node: Node) -> list[TextNode]:
    if isinstance(node, TextNode):
        return [node]
    if isinstance(node, ListNode):
        return [text for item in node.items for text in spans(item)]
    return [text for entry in node.entries for text in (entry.key, *spans(entry.value))]


def test_every_text_stands_where_its_span_says() -> None:
    texts = spans(read(Source("spec.yaml", BASE)))
    assert len(texts) > 100
    assert all(text.span.text == text.value for text in texts)


def test_spans_count_characters_not_bytes() -> None:
    node = read(Source("a", 'é𝒳: {日本: "x é", b: [y, z]} # ü\nlast: 1\n'))
    assert [text.span.text for text in spans(node)] == ["é𝒳", "日本", '"x é"', "b", "y", "z", "last", "1"]


def test_collections_end_with_their_last_child() -> None:
    text = "a:\n  - x\n  - {b: c}\n\n# comment\nd:\n  e: f\n\n"
    node = read(Source("a", text))
    values = [entry.value for entry in node.entries]
    assert [value.span.text for value in values] == ["- x\n  - {b: c}", "e: f"]
    assert node.span.text == text.rstrip()


def test_implicit_types_stay_text() -> None:
    node = read(Source("a", "a: yes\nb: 010\nc: 1:30\nd: 2020-01-01\ne: 1e-6\nf: true\ng: .inf\nh: 0x1F\n"))
    assert list(plain(node).values()) == ["yes", "010", "1:30", "2020-01-01", "1e-6", "true", ".inf", "0x1F"]


def test_quoted_text_may_be_anything() -> None:
    node = read(Source("a", 'a: \'null\'\nb: "~"\nc: \'\'\n"<<": "*x"\nd: none\n'))
    assert plain(node) == {"a": "null", "b": "~", "c": "", "<<": "*x", "d": "none"}


def test_tabs_in_comments_and_quotes_are_text() -> None:
    node = read(Source("a", 'a: "x\ty" # c\td\n#\te\n'))
    assert plain(node) == {"a": "x\ty"}


def test_glued_colon_before_a_bracket() -> None:
    if builder._LOADER is yaml.SafeLoader:
        assert plain(read(Source("a", "a: {b:[1]}\n"))) == {"a": {"b": ["1"]}}  # this form reads it as meant
    else:
        assert refused("a: {b:[1]}\n") == [("E118", ":")]


def test_map_access() -> None:
    node = read(Source("a", "b: 1\na: {c: 2}\n"))
    assert node.keys() == ("b", "a")
    inner = node.get("a")
    assert isinstance(inner, MapNode)
    assert inner.flow
    assert node.get("x") is None
    key = node.key("a")
    assert key is not None
    assert key.span.line == 2
    assert node.key("x") is None


def test_folded_and_literal_text() -> None:
    node = read(Source("a", "about: one\n  two\nb: |\n  x\n  y\n\nc: >-\n  4*d\n  + 1\n"))
    assert plain(node) == {"about": "one two", "b": "x\ny", "c": "4*d + 1"}
    assert node.entries[1].value.span.text == "|\n  x\n  y"


def test_parts_of_text_point_inside_it() -> None:
    node = read(Source("a", "a: 4*d_model\nb: \"4*d_model\"\nc: '4*d_model'\n"))
    assert [entry.value.part(2, 9).text for entry in node.entries] == ["d_model"] * 3
    escaped = read(Source("a", 'a: "4*\\u0064_model"\n')).entries[0].value
    assert escaped.part(2, 9) == escaped.span
    folded = read(Source("a", "a: 4*\n  d_model\n")).entries[0].value
    assert folded.part(3, 10) == folded.span


def test_byte_order_mark_and_line_breaks() -> None:
    node = read_bytes("a", "\ufeffa: 1\r\nb:\r\n  c: é\r\n".encode())
    assert plain(node) == {"a": "1", "b": {"c": "é"}}
    texts = spans(node)
    assert [(text.span.line, text.span.column) for text in texts] == [(1, 1), (1, 4), (2, 1), (3, 3), (3, 6)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("E105", "")]),
        ("# nothing\n", [("E105", "")]),
        ("- a\n- b\n", [("E106", "-")]),
        ("text", [("E106", "t")]),
        ("a: 1\n---\nb: 2\n", [("E107", "---")]),
        ("a: 1\n...\nb: 2\n", [("E107", "b")]),
        ("a: " + "[" * 64 + "]" * 64, [("E108", "[")]),
        ("a: &x 1\n", [("E109", "&x")]),
        ("a: &x {b: 1}\n", [("E109", "&x")]),
        ("a: &\n", [("E109", "\n")]),
        ("a: 1\nb: *a\n", [("E110", "*a")]),
        ("*a : 1\n", [("E110", "*a")]),
        ("<<: {a: 1}\n", [("E111", "<<")]),
        ("a: !!int 3\n", [("E112", "!!int")]),
        ("a: !foo {b: 1}\n", [("E112", "!foo")]),
        ("a: !foo &bar [1]\n", [("E112", "!foo"), ("E109", "&bar")]),
        ("%YAML 1.1\n---\na: 1\n", [("E113", "%YAML 1.1")]),
        ("%TAG ! x\n---\na: 1\n", [("E113", "%TAG ! x")]),
        ("a: 1\nb: 2\na: 3\n", [("E114", "a")]),
        ("a: {b: 1, b: 2, b: 3}\n", [("E114", "b"), ("E114", "b")]),
        ("a: 1\n'a': 2\n", [("E114", "'a'")]),
        ("? [a]\n: 1\n", [("E115", "[")]),
        ("? {a: b}\n: 1\n", [("E115", "{")]),
        ("'': 1\n", [("E115", "'")]),
        ("a:\n", [("E116", "a")]),
        ("a: ~\n", [("E116", "~")]),
        ("a: null\n", [("E116", "null")]),
        ("a:\n  - 1\n  -\n", [("E116", "-")]),
        ("a: [~, 1]\n", [("E116", "~")]),
        ("{a: 1, b}\n", [("E116", "b")]),
        ("{a: , b: 1}\n", [("E116", "a")]),
        ("{mask: f(1, 2)}\n", [("E117", "f(1, 2)")]),
        ("{mask: f(1, g(2, 3), 4), b: 1}\n", [("E117", "f(1, g(2, 3), 4)")]),
        ("{mask: f(1, 2}\n", [("E117", "f(1, 2")]),
        ("a: [f(1, 2), 3]\n", [("E117", "f(1, 2)")]),
        ("{a:b}\n", [("E118", ":")]),
        ("{a: 1, b:c}\n", [("E118", ":")]),
        ("a: 1\nheads:8\nb: 2\n", [("E118", ":")]),
        ("heads:8\n", [("E118", ":")]),
        ("a: {type: float[a, b]}\n", [("E119", "float[a, b]")]),
        ("a: {type: int64[a, b] < vocab, default: 1}\n", [("E119", "int64[a, b] < vocab")]),
        ("a: [bool[b]]\n", [("E119", "bool[b]")]),
        ("a: x\n\tb: y\n", [("E102", "\t")]),
        ("a:\n\t- b\n", [("E102", "\t")]),
        ("a:\tb\n", [("E102", "\t")]),
        ("a: b\t# c\n", [("E102", "\t")]),
        ("a\x00: 1\n", [("E104", "\x00")]),
        ("a: \ud800\n", [("E104", "\ud800")]),
        ("a: b: c\n", [("E101", ":")]),
        ("a: @b\n", [("E101", "@")]),
        ('a: "x\n', [("E101", '"')]),
        ("a: [1, 2\nb: 3\n", [("E101", ":")]),
        ("a:\n  b: 1\n c: 2\n", [("E101", "c")]),
        ("a: 'b' c\n", [("E101", "c")]),
    ],
)
def test_refusals(text: str, expected: list[tuple[str, str]]) -> None:
    assert refused(text) == expected
    for found in errors(text):
        assert found.help
        assert not found.help.endswith(".")
        assert not found.message.endswith(".")
        assert not found.message[0].isupper()


def test_limits_are_where_they_are_said_to_be() -> None:
    read(Source("a", "a: " + "[" * 63 + "]" * 63))
    head = b"a: 1\n#"
    read_bytes("a", head + b"x" * (MAX_BYTES - len(head)))
    for size in (MAX_BYTES + 1, 10 * MAX_BYTES):
        with pytest.raises(SpecError) as raised:
            read_bytes("a", head + b"x" * (size - len(head)))
        assert raised.value.diagnostics[0].code == "E103"
    with pytest.raises(SpecError) as raised:
        read(Source("a", "a: 1\n#" + "é" * (MAX_BYTES // 2)))
    assert raised.value.diagnostics[0].code == "E103"


def test_bytes_that_are_not_text() -> None:
    with pytest.raises(SpecError) as raised:
        read_bytes("a.yaml", b"a: 1\nbc: \xe9\n")
    (found,) = raised.value.diagnostics
    assert found.code == "E104"
    assert found.primary is not None
    assert (found.primary.span.line, found.primary.span.column) == (2, 5)


def test_all_independent_errors_in_one_run_in_order() -> None:
    text = "a: &x 1\nb:\n  c: ~\n  d: *x\n  d: {e: f(1, 2), g:h}\nb: 2\n"
    assert refused(text) == [
        ("E109", "&x"),
        ("E116", "~"),
        ("E110", "*x"),
        ("E117", "f(1, 2)"),
        ("E118", ":"),
        ("E114", "b"),
    ]


def test_errors_are_counted_out() -> None:
    assert len(errors("- ~\n" * 50_000)) == 100


def test_duplicate_key_message() -> None:
    (found,) = errors("heads: 8\nmask: causal\nheads: 16\n")
    assert render(found) == (
        "error[E114]: duplicate key `heads`\n"
        " --> spec.yaml:3:1\n"
        "  |\n"
        "1 | heads: 8\n"
        "  | ----- first given here\n"
        "...\n"
        "3 | heads: 16\n"
        "  | ^^^^^\n"
        "  |\n"
        "  = help: keep one of the two\n"
    )


def test_split_value_message() -> None:
    (found,) = errors("a: {mask: f(1, 2), b: 1}\n")
    assert render(found) == (
        "error[E117]: a comma split this value\n"
        " --> spec.yaml:1:11\n"
        "  |\n"
        "1 | a: {mask: f(1, 2), b: 1}\n"
        "  |           ^^^^^^^\n"
        "  |              - here\n"
        "  |\n"
        '  = help: quote it, "f(1, 2)", or use block style\n'
    )


def test_open_brace_message() -> None:
    (found,) = errors("attention: {heads: 8\nmask: causal\n")
    assert render(found) == (
        "error[E101]: expected `,` or `}`\n"
        " --> spec.yaml:2:5\n"
        "  |\n"
        "1 | attention: {heads: 8\n"
        "  |            - the open brace\n"
        "2 | mask: causal\n"
        "  |     ^\n"
        "  |\n"
        "  = help: close the brace, or put a comma before the next key\n"
    )
