"""Patterns of names against the regular expression that says the same."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.diagnostics import Source
from archspec.layouts.names import NamePattern, Piece, Star, regex_of

_SPAN = Source("test", "x").span(0, 1)
_TEXT = st.text("a0.1", min_size=1, max_size=3)
_NAMES = st.lists(st.sampled_from(["a", ".", "0", "1", "10", "01"]), max_size=7).map("".join)


@st.composite
def _pieces(draw: st.DrawFn) -> tuple[Piece, ...]:
    """Texts, indices and groups; no two indices stand beside each other."""
    kinds = draw(st.lists(st.sampled_from(["text", "star", "group"]), max_size=4))
    found: list[Piece] = []
    for kind in kinds:
        if kind == "star":
            found += [Star.STAR] if found[-1:] != [Star.STAR] else []
        elif kind == "text":
            found.append(draw(_TEXT))
        else:
            found.append(tuple(draw(st.lists(_TEXT, min_size=1, max_size=3))))
    return tuple(found)


@given(_pieces(), _NAMES)
@settings(max_examples=300, deadline=None)
def test_a_pattern_matches_what_its_regular_expression_matches(pieces: tuple[Piece, ...], name: str) -> None:
    pattern = NamePattern(pieces=pieces, span=_SPAN)
    found = re.fullmatch(f"{regex_of(pieces)}(?:\\.(.+))?", name)
    expected = None if found is None else (tuple(map(int, found.groups()[:-1])), found.groups()[-1] or "")
    assert pattern.match(name) == expected
    assert pattern.matches([name]) == ({} if expected is None else {name: expected})


def test_a_pattern_with_a_star_matches() -> None:
    """The property is not empty: a name that fits has its index and its rest."""
    pattern = NamePattern(pieces=("a.", Star.STAR, ".", ("q", "k")), span=_SPAN)
    assert pattern.match("a.10.k.weight") == ((10,), "weight")
    assert pattern.match("a.01.k") is None
