"""Edits of shipped specs, and of some that use much of the language, and what `archspec check` says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import process_time

from archspec.checking import check
from archspec.diagnostics import CODES, Diagnostic, SpecError, render, to_json
from archspec.spec.shipped import shipped_specs_dir
from tests.edits.text_edits import TEXT_EDITS
from tests.edits.tree_edits import edit_tree

OWN = Path(__file__).with_name("specs")
TEXTS = {path.name: path.read_text("utf-8") for folder in (shipped_specs_dir(), OWN) for path in folder.glob("*.yaml")}
MOST_SECONDS = 5.0


def edited(chance: Random) -> str:
    """A spec after one to three edits; mostly without its weight map, which a check does not read."""
    text = TEXTS[chance.choice(sorted(TEXTS))]
    weights = text.find("\nweights:")
    if weights > 0 and chance.random() < 0.9:
        text = text[: weights + 1]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        text = edit_tree(text, chance) if chance.random() < 0.45 else chance.choice(TEXT_EDITS)(text, chance)
    return text


def findings(path: Path, reduced: bool) -> tuple[Diagnostic, ...]:
    """What is said of a file; what is refused is said."""
    try:
        return check(path, reduced=reduced).diagnostics
    except SpecError as error:
        assert error.diagnostics
        return error.diagnostics


def wrong(found: Diagnostic) -> Iterator[str]:
    """What a finding lacks: a place, and lines that exist."""
    if found.code not in CODES or not to_json(found)["message"]:
        yield f"{found.code} is not a code, or says nothing"
    if found.primary is None:
        yield f"{found.code} has no place: {found.message}"
        return
    for label in (found.primary, *found.secondary):
        span, source = label.span, label.span.source
        if not (0 <= span.start <= span.end <= len(source.text) and 1 <= span.line <= len(source.line_starts)):
            yield f"{found.code} points outside of its file"


@dataclass
class Edited:
    """What became of one edit: whether it was refused, and what is wrong with what was said; "" for nothing."""

    refused: bool
    wrong: str = ""


def judge(seed: str, number: int, path: Path) -> Edited:
    """Edit `number` of a seed, written to a path and checked."""
    chance = Random(f"{seed}:{number}")
    text = edited(chance)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    began = process_time()
    try:
        found = findings(path, reduced=chance.random() < 0.4)
    except Exception as error:  # noqa: BLE001 - a traceback is what is looked for
        return Edited(refused=True, wrong=f"edit {number}: {type(error).__name__}: {error}\n{text}")
    took = process_time() - began
    lacks = [lack for one in found for lack in wrong(one)]
    if found and not render(found):
        lacks.append("nothing is shown")
    if took >= MOST_SECONDS:
        lacks.append(f"it took {took:.1f} s")
    told = f"edit {number}: {'; '.join(lacks)}\n{text}" if lacks else ""
    return Edited(refused=any(one.severity == "error" for one in found), wrong=told)
