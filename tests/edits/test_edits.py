"""Whatever is done to a spec, `archspec check` answers with a verdict or with an error that has its place, and soon.

Two thousand seeded edits of shipped specs, and of some that use much of the language. `EDITS` in the environment asks
for more, `SEED` for others: `EDITS=20000 SEED=7 pytest -m slow tests/edits`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import process_time

import pytest

from archspec.checking import check
from archspec.diagnostics import CODES, Diagnostic, SpecError, render, to_json
from archspec.spec.shipped import shipped_specs_dir
from tests.edits.text_edits import TEXT_EDITS
from tests.edits.tree_edits import edit_tree

OWN = Path(__file__).with_name("specs")
TEXTS = {path.name: path.read_text("utf-8") for folder in (shipped_specs_dir(), OWN) for path in folder.glob("*.yaml")}
EDITS = int(os.environ.get("EDITS", "2000"))
SEED = os.environ.get("SEED", "1")
PARTS = 8
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


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_edits_are_checked_or_refused_in_their_place(part: int, tmp_path: Path) -> None:
    refused = 0
    for number in range(part, EDITS, PARTS):
        chance = Random(f"{SEED}:{number}")
        text, path = edited(chance), tmp_path / "edited.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        began = process_time()
        found = findings(path, reduced=chance.random() < 0.4)
        took = process_time() - began
        assert render(found) or not found
        assert [lack for one in found for lack in wrong(one)] == [], f"edit {number}:\n{text}"
        assert took < MOST_SECONDS, f"edit {number} took {took:.1f} s:\n{text}"
        refused += any(one.severity == "error" for one in found)
    assert refused > EDITS / PARTS / 2


@pytest.mark.parametrize("name", sorted(path.name for path in OWN.glob("*.yaml")))
def test_what_is_edited_holds(name: str) -> None:
    report = check(OWN / name)
    assert report.holds
    assert check(OWN / name, set=["d_model=32"] if "d_model" in TEXTS[name] else []).spec.name == report.spec.name
