from __future__ import annotations

import re
from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import CODES, SpecError, explain
from archspec.diagnostics.codes import FAMILIES

PACKAGE = Path(archspec.__file__).parent
PAGES = PACKAGE / "diagnostics" / "pages"


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(CODES)
    assert {path.suffix for path in PAGES.iterdir()} == {".md"}


def test_every_raised_code_is_in_the_table_and_every_code_is_raised() -> None:
    sources = [path for path in PACKAGE.rglob("*.py") if path.name != "codes.py"]
    raised = {code for path in sources for code in re.findall(r'"([EW]\d{3})"', path.read_text("utf-8"))}
    assert raised == set(CODES)


def test_the_table_is_sorted_and_every_family_is_named() -> None:
    assert list(CODES) == sorted(CODES)
    for code, entry in CODES.items():
        assert re.fullmatch(r"(E[1-9]|W\d)\d\d", code)
        assert entry.family == FAMILIES[code[:2] if code[0] == "E" else "W"]


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_every_part(code: str) -> None:
    page = explain(code.lower())
    assert page.startswith(f"# {code}: {CODES[code].title}\n\n")
    parts = page.split("\n## ")
    assert [part.split("\n")[0] for part in parts[1:]] == ["Why", "Example", "Instead"]
    assert all(part.split("\n", 1)[1].strip() for part in parts)


def test_unknown_code_proposes_the_nearest() -> None:
    with pytest.raises(SpecError) as raised:
        explain("E118X")
    (found,) = raised.value.diagnostics
    assert found.message == "unknown code `E118X`"
    assert found.help == "did you mean `E118`?"
