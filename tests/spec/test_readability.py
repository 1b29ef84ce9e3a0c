"""Shipped specs are short enough to be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.diagnostics import Source
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.reader import read

PATHS = sorted(shipped_specs_dir().glob("*.yaml"))
MOST, MOST_OF_A_SIZE = 60, 12


def lines_of(path: Path) -> list[str]:
    """The lines of a spec without its comments and its maps of weights."""
    sections = re.split(r"(?m)^(?=\S)", path.read_text("utf-8"))
    kept = "".join(section for section in sections if not section.startswith("weights:"))
    return [line for line in kept.rstrip().splitlines() if not line.lstrip().startswith("#")]


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_a_spec_fits_on_a_page(path: Path) -> None:
    assert len(lines_of(path)) <= MOST


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_another_size_is_a_few_lines(path: Path) -> None:
    keys = read(Source(path.name, path.read_text("utf-8"))).keys()
    if "extends" in keys and "graph" not in keys:
        assert len(lines_of(path)) <= MOST_OF_A_SIZE


def test_there_are_specs_of_both_kinds() -> None:
    sizes = [path for path in PATHS if "\nextends:" in path.read_text("utf-8")]
    assert 3 <= len(sizes) < len(PATHS)
