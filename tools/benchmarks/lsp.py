"""The language server in process: how long an answer takes after an edit of gpt2, by the process's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from statistics import median

from row import Row, spread

from archspec.editing import Document, Lines, Position
from archspec.spec.shipped import shipped_specs_dir

EDITS = 60
SPEC = "gpt2"
MOST = 60.0


def lsp_rows() -> list[Row]:
    """The median of each answer after an edit that changes what the spec says, and after one that does not."""
    path = shipped_specs_dir() / f"{SPEC}.yaml"
    text = path.read_text("utf-8")
    return [
        *_rows(Document(path, text), text, "an edit of a number", _numbers),
        *_rows(Document(path, text), text, "an edit of a comment", lambda text, chance: f"{text}# {chance.random()}\n"),
    ]


def _numbers(text: str, chance: Random) -> str:
    """Another width, number of layers or dropout: the graph, the proofs and the counts are others."""
    old, new = chance.choice((("d_model: 768", "d_model: {}"), ("layers: 12", "layers: {}"), ("d_ff: 4*", "d_ff: {}*")))
    return text.replace(old, new.format(chance.choice((24, 48, 96, 120))))


def _rows(document: Document, text: str, what: str, edit: Callable[[str, Random], str]) -> list[Row]:
    place = Lines(document.read.now.source).place(text.index("states:"))
    asked: dict[str, Callable[[Position], object]] = {
        "findings": lambda _: document.findings(),
        "hover": document.hover,
        "completion": document.completions,
        "hints": lambda _: document.hints(),
        "outline": lambda _: document.outline(),
        "references": document.references,
    }
    for ask in asked.values():
        ask(place)
    return [_row(document, text, f"{name} of {SPEC} after {what}", edit, ask, place) for name, ask in asked.items()]


def _row(
    document: Document,
    text: str,
    what: str,
    edit: Callable[[str, Random], str],
    ask: Callable[[Position], object],
    place: Position,
) -> Row:
    times, chance = [], Random(what)
    for number in range(EDITS):
        document.change(edit(text, chance) + "\n" * (number % 3))
        started = time.process_time()
        ask(place)
        times.append(time.process_time() - started)
    return Row(what=what, value=median(times) * 1e3, unit="ms", bound=MOST, detail=spread(times))
