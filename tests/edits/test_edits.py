"""Whatever is done to a spec, `archspec check` answers with a verdict or with an error that has its place, and soon.

A few hundred seeded edits here; `tools/fuzz --edits 20000` tries as many as one likes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import check
from tests.edits.random_edits import OWN, TEXTS, judge

SEED = "1"
EDITS = 400
PARTS = 4


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_edits_are_checked_or_refused_in_their_place(part: int, tmp_path: Path) -> None:
    found = [judge(SEED, number, tmp_path / "edited.yaml") for number in range(part, EDITS, PARTS)]
    assert [one.wrong for one in found if one.wrong] == []
    assert sum(one.refused for one in found) > EDITS / PARTS / 2


@pytest.mark.parametrize("name", sorted(path.name for path in OWN.glob("*.yaml")))
def test_what_is_edited_holds(name: str) -> None:
    report = check(OWN / name)
    open_ = [found for found in report.diagnostics if found.severity == "error"]
    assert [found for found in open_ if not any("not checked yet" in note for note in found.notes)] == []
    assert check(OWN / name, set=["d_model=32"] if "d_model" in TEXTS[name] else []).spec.name == report.spec.name
