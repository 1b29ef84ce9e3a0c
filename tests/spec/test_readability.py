"""Shipped specs are short enough to be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.diagnostics import Source
from archspec.spec.shipped import shipped_specs_dir
from archspec.text.reader import read

PATHS = sorted(shipped_specs_dir().glob("*.yaml"))
MOST, MOST_OF_A_SIZE, MOST_OF_A_BLOCK = 60, 12, 40


def lines_of(path: Path) -> list[str]:
    """The lines of a spec without its comments, its maps of weights and the definitions of its own blocks."""
    kept = "".join(one for one in sections(path) if not one.startswith(("weights:", "blocks:")))
    return [line for line in kept.rstrip().splitlines() if not line.lstrip().startswith("#")]


def sections(path: Path) -> list[str]:
    return re.split(r"(?m)^(?=\S)", path.read_text("utf-8"))


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_a_spec_fits_on_a_page(path: Path) -> None:
    assert len(lines_of(path)) <= MOST


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_a_block_of_a_spec_is_read_at_a_glance(path: Path) -> None:
    own = next((one for one in sections(path) if one.startswith("blocks:")), "")
    for block in re.split(r"(?m)^(?=  \w)", own)[1:]:
        assert len(block.rstrip().splitlines()) <= MOST_OF_A_BLOCK


@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_another_size_is_a_few_lines(path: Path) -> None:
    keys = read(Source(path.name, path.read_text("utf-8"))).keys()
    if "extends" in keys and "graph" not in keys:
        assert len(lines_of(path)) <= MOST_OF_A_SIZE


def test_there_are_specs_of_both_kinds() -> None:
    sizes = [path for path in PATHS if "\nextends:" in path.read_text("utf-8")]
    assert 3 <= len(sizes) < len(PATHS)
