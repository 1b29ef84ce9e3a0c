"""Whatever is done to a spec, the answer is a spec or a SpecError that can be shown."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.diagnostics import Source, SpecError, render, to_json
from archspec.spec.elaborate import elaborate
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.reader import read

PATHS = sorted(shipped_specs_dir().glob("*.yaml"))
TEXTS = [text for text in (path.read_text(encoding="utf-8") for path in PATHS) if "extends:" not in text]
_PIECE = re.compile(r"[A-Za-z_][\w.]*|\d+|\s+|[^\s\w]")
WORDS = sorted({word for text in TEXTS for word in _PIECE.findall(text) if not word.isspace()})
ODD = [
    "none",
    "true",
    "layer",
    "0",
    "-1",
    "1e-6",
    "[]",
    "{}",
    "''",
    "sqrt(2)",
    "1/0",
    "10000000000",
    "a.b.0",
    "last(3)",
]

Edit = Callable[[list[str]], list[str]]


@st.composite
def edits(draw: st.DrawFn) -> str:
    """A shipped spec with a few pieces put in, taken out or replaced."""
    pieces = _PIECE.findall(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(pieces) - 1))
        word = draw(st.sampled_from([*WORDS, *ODD]))
        kind = draw(st.sampled_from(["replace", "remove", "insert", "line", "swap"]))
        if kind == "replace":
            pieces[place] = word
        elif kind == "remove":
            del pieces[place]
        elif kind == "insert":
            pieces.insert(place, word)
        elif kind == "line":
            pieces.insert(
                place, f"\n{draw(st.sampled_from(['', '  ', '    ']))}{word}: {draw(st.sampled_from(WORDS))}\n"
            )
        else:
            other = draw(st.integers(0, len(pieces) - 1))
            pieces[place], pieces[other] = pieces[other], pieces[place]
    return "".join(pieces)


@given(edits())
@settings(max_examples=150)
def test_an_edited_spec_loads_or_is_refused(text: str) -> None:
    try:
        elaborate(read(Source("spec.yaml", text)), path=PATHS[0])
    except SpecError as error:
        assert error.diagnostics
        assert render(error.diagnostics)
        assert all(to_json(found)["message"] for found in error.diagnostics)


@given(
    st.text(max_size=60),
    st.sampled_from(["constants.vocab", "graph.states.layers", "graph.states", "dims.batch", "rules.0"]),
)
@settings(max_examples=150)
def test_any_override_is_taken_or_refused(value: str, path: str) -> None:
    from archspec.spec.overrides import apply_overrides, parse_overrides

    tree = read(Source("gpt2.yaml", PATHS[[one.stem for one in PATHS].index("gpt2")].read_text(encoding="utf-8")))
    try:
        elaborate(apply_overrides(tree, parse_overrides([f"{path}={value}"])), path=PATHS[0])
    except SpecError as error:
        assert render(error.diagnostics)
