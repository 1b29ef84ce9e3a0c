"""docs/comparing.md shows the table that the command prints, and its examples print what it says."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from archspec.cli.compare_command import text_of
from archspec.views.comparison.compare import compare
from archspec.views.comparison.measured_rows import effective_section, shift_section
from archspec.views.comparison.table import MARKS, MEANINGS
from tests.documents import ROOT, examples, run

PAGE = ROOT / "docs" / "comparing.md"


def table() -> str:
    (found,) = (example.text for example in examples(PAGE) if example.language == "text")
    return found


def without_measurement(text: str) -> list[str]:
    """The table without what is measured, and with the marks that it then has."""
    sections = re.split(r"\n\n", text.strip())
    kept = [one for one in sections if not one.startswith(("Effective field", "Moved by"))]
    return [re.sub(r"(?<!\S)V ", "? ", line) for line in "\n\n".join(kept[:-1]).splitlines()]


def test_the_table_is_that_of_the_command() -> None:
    found = compare(["resnet-50", "vit-b16"], measured=False)
    assert without_measurement(table()) == without_measurement(text_of(found))


def test_the_measured_rows_are_those_of_the_command() -> None:
    """The figures are measured at full size, which takes long: here their rows are compared."""
    found = compare(["resnet-50", "vit-b16"], measured=False)
    for section in (effective_section(found.specs, "pixels"), shift_section(found.specs, "pixels")):
        shown = next(part for part in table().split("\n\n") if part.startswith(section.title))
        questions = [line[2:18].strip() for line in shown.splitlines()[1:] if line[2:18].strip()]
        assert questions == [row.text for row in section.rows]


def test_the_legend_is_complete() -> None:
    legend = table().strip().split("\n\n")[-1]
    for known in ("proved", "violated", "counted", "measured", "none"):
        assert f"{MARKS[known]}  {MEANINGS[known]}" in legend
    words = PAGE.read_text(encoding="utf-8")
    assert all(f"| {mark}, {known} |" in words for known, mark in MARKS.items() if known != "none")


def test_the_picture_is_one_of_both() -> None:
    drawn = ElementTree.parse(ROOT / "docs" / "comparing.svg").getroot()
    panels = [one.attrib["data-panel"] for one in drawn.iter() if one.attrib.get("class") == "cells"]
    assert panels == ["resnet-50", "vit-b16"]


def test_examples(tmp_path: Path) -> None:
    for example in examples(PAGE):
        run(example, tmp_path)
