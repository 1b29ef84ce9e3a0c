"""docs/reference.md says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from archspec.blocks.registry import blocks
from archspec.ops.registry import all_primitives
from archspec.views.reference import reference

ROOT = Path(__file__).resolve().parent.parent.parent


def headings(page: str) -> list[str]:
    return re.findall(r"^##+ (.*)$", page, re.MULTILINE)


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert page == reference(), "run tools/reference"


def test_every_block_and_primitive_has_a_section() -> None:
    found = headings(reference())
    assert {f"`{word}`" for word in blocks()} <= set(found)
    assert set(all_primitives()) <= set(found)


def test_every_link_leads_to_a_section() -> None:
    page = reference()
    targets = {heading.lower().replace(" ", "-") for heading in headings(page)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= targets


def test_every_row_says_what_its_field_is() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    for row in rows:
        assert row.split(" | ")[-1].strip(" |"), row
