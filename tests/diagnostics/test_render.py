"""Whole rendered messages, as a user sees them."""

from __future__ import annotations

from textwrap import dedent

from archspec.diagnostics import Diagnostic, Label, Source, SpecError, render, to_json

SPEC = Source("spec.yaml", "name: tiny\nheads: 8\n\n\nattention:\n  head: 8\n日本: é head\n")
BASE = Source("base.yaml", "heads: 16\n")


def place(source: Source, text: str, label: str = "", *, nth: int = 0) -> Label:
    start = -1
    for _ in range(nth + 1):
        start = source.text.index(text, start + 1)
    return Label(source.span(start, start + len(text)), label)


def shown(text: str) -> str:
    return dedent(text).lstrip("\n")


def test_one_place_with_help() -> None:
    found = Diagnostic(
        code="E203",
        message="unknown key `head`",
        primary=place(SPEC, "head", nth=1),
        help="did you mean `heads`?",
    )
    assert render(found) == shown("""
        error[E203]: unknown key `head`
         --> spec.yaml:6:3
          |
        6 |   head: 8
          |   ^^^^
          |
          = help: did you mean `heads`?
    """)


def test_places_on_other_lines_and_in_other_files() -> None:
    found = Diagnostic(
        code="E114",
        message="three places",
        primary=place(SPEC, "head", "not a field", nth=1),
        secondary=(
            place(SPEC, "name", "first"),
            place(SPEC, "tiny", "second"),
            place(BASE, "heads", "inherited from here"),
        ),
        notes=("one note", "another"),
    )
    assert render(found) == shown("""
        error[E114]: three places
         --> spec.yaml:6:3
          |
        1 | name: tiny
          | ---- first
          |       ---- second
        ...
        6 |   head: 8
          |   ^^^^ not a field
          |
         ::: base.yaml:1:1
          |
        1 | heads: 16
          | ----- inherited from here
          |
          = note: one note
          = note: another
    """)


def test_adjacent_lines_have_no_gap_and_numbers_align() -> None:
    source = Source("long.yaml", "".join(f"key{number}: {number}\n" for number in range(1, 12)))
    found = Diagnostic(code="E101", message="m", primary=place(source, "key10"), secondary=(place(source, "key9"),))
    assert render(found) == shown("""
        error[E101]: m
          --> long.yaml:10:1
           |
         9 | key9: 9
           | ----
        10 | key10: 10
           | ^^^^^
    """)


def test_command_line_has_no_line_numbers() -> None:
    option = Source("--set", "d_ff=4*d_modl")
    found = Diagnostic(code="E201", message="unknown name `d_modl`", primary=place(option, "d_modl"))
    assert render(found) == shown("""
        error[E201]: unknown name `d_modl`
         --> --set
          |
          | d_ff=4*d_modl
          |        ^^^^^^
    """)


def test_carets_stand_under_wide_and_combining_characters() -> None:
    source = Source("wide.yaml", "日本: e\u0301 head\n")
    lines = render(Diagnostic(code="E101", message="m", primary=place(source, "head"))).splitlines()
    assert lines[3] == "1 | 日本: e\u0301 head"
    assert lines[4] == "  |         ^^^^"  # two cells for each ideograph, none for the accent
    assert lines[1] == " --> wide.yaml:1:8"  # but columns count characters


def test_empty_span_and_span_over_lines() -> None:
    end = Diagnostic(code="E105", message="empty", primary=Label(Source("a.yaml", "").span(0, 0)))
    assert render(end) == "error[E105]: empty\n --> a.yaml:1:1\n  |\n1 |\n  | ^\n"
    folded = Source("b.yaml", "mask: causal\n  & all\n")
    found = Diagnostic(code="E120", message="m", primary=Label(folded.span(6, 20)))
    assert render(found) == "error[E120]: m\n --> b.yaml:1:7\n  |\n1 | mask: causal\n  |       ^^^^^^\n"


def test_long_lines_are_cut_around_the_place() -> None:
    source = Source("a.yaml", "x" * 300 + "head" + "y" * 300)
    rows = render(Diagnostic(code="E101", message="m", primary=place(source, "head"))).splitlines()
    assert len(rows[3]) < 160
    start = rows[4].index("^")
    assert rows[3][start : start + 4] == "head"


def test_no_place() -> None:
    found = Diagnostic(code="E105", severity="warning", message="nothing", help="write something")
    assert render(found) == "warning[E105]: nothing\n  = help: write something\n"


def test_control_characters_never_reach_the_terminal() -> None:
    source = Source("a.yaml", "a\x1b[31m\u202eb: 1")
    found = Diagnostic(
        code="E104",
        message="got \x1b[2J",
        primary=Label(source.span(0, 1), "la\x07bel"),
        notes=("no\x9bte",),
        help="he\nlp",
    )
    text = render(found)
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]
    assert "got \\x1b[2J" in text
    assert "he\\x0alp" in text


def test_colour_only_when_asked_and_only_paints() -> None:
    import re

    found = Diagnostic(
        code="E203",
        message="m",
        primary=place(SPEC, "heads"),
        secondary=(place(SPEC, "name"),),
        help="h",
    )
    plain, painted = render([found, found]), render([found, found], color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain
    assert "\x1b[1;31merror[E203]\x1b[0m" in painted


def test_several_are_separated_by_a_blank_line_and_errors_print_themselves() -> None:
    first = Diagnostic(code="E105", message="one")
    second = Diagnostic(code="E105", message="two")
    assert render([first, second]) == "error[E105]: one\n\nerror[E105]: two\n"
    assert str(SpecError([first, second])) == render([first, second])
    assert render([]) == ""


def test_json_carries_every_field() -> None:
    found = Diagnostic(
        code="E114",
        message="m",
        primary=place(SPEC, "head: 8\n日", "here"),
        secondary=(place(BASE, "heads", "there"),),
        notes=("n",),
        help="h",
    )
    assert to_json(found) == {
        "code": "E114",
        "severity": "error",
        "message": "m",
        "file": "spec.yaml",
        "line": 6,
        "column": 3,
        "end": {"line": 7, "column": 2},
        "label": "here",
        "secondary": [{"file": "base.yaml", "line": 1, "column": 1, "end": {"line": 1, "column": 6}, "label": "there"}],
        "notes": ["n"],
        "help": "h",
    }
    nowhere = to_json(Diagnostic(code="E105", message="m"))
    assert (nowhere["file"], nowhere["line"], nowhere["end"]) == (None, None, None)
