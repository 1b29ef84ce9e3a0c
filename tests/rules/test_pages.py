"""What the pages show of broken rules is what `check` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.diagnostics import CODES, explain
from tests.spec.example import spec_of

_FENCE = re.compile(r"```rules\n([\s\S]*?)```")
PAGES = {code: examples for code in CODES if (examples := _FENCE.findall(explain(code)))}


@pytest.mark.parametrize("code", PAGES)
def test_pages_show_what_falls_short_and_what_holds(code: str, tmp_path: Path) -> None:
    example, instead = PAGES[code]
    assert [found.code for found in check(spec_of(tmp_path, example)).diagnostics] == [code]
    assert check(spec_of(tmp_path, instead)).diagnostics == ()


def test_there_are_pages_with_rules() -> None:
    assert {"E420", "E421", "E422", "E423"} <= set(PAGES)
