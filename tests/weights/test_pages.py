from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archspec.diagnostics import CODES, SpecError, explain
from archspec.weights import check_layout
from tests.weights.tables import OURS, THEIRS, codes, layout_of


def pages() -> list[str]:
    return [code for code in CODES if code.startswith("E5") and "```weights" in explain(code)]


def test_reading_layouts_loads_no_torch() -> None:
    source = "import sys, archspec.spec, archspec.weights as w\n"
    source += "assert w.layouts(archspec.spec.load('gpt2')) and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", source], check=True, cwd=Path(__file__).parents[2])


def test_there_are_pages_with_layouts() -> None:
    assert len(pages()) >= 10


@pytest.mark.parametrize("code", pages())
def test_the_example_raises_the_code_and_the_other_does_not(code: str) -> None:
    wrong, right = (part.removeprefix("weights\n") for part in explain(code).split("```")[1::2])
    with pytest.raises(SpecError) as raised:
        check_layout(OURS, layout_of(wrong), THEIRS)
    assert code in codes(raised.value)
    check_layout(OURS, layout_of(right), THEIRS)
