"""Diagnostics that no spec file raises by itself: of weights, engines, bundles, inputs; each with its golden text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.analyses import memory
from archspec.diagnostics import CODES, SpecError, render
from tests.diagnostics.cases import bundles, configurations, engines, files, several_devices
from tests.diagnostics.cases.parts import Case
from tests.diagnostics.corpus_case import CASES as CORPUS_CASES
from tests.diagnostics.corpus_case import expected

GOLDEN = Path(__file__).with_name("elsewhere")
CASES: dict[str, Case] = {
    **files.CASES,
    **engines.CASES,
    **bundles.CASES,
    **configurations.CASES,
    **several_devices.CASES,
}


@pytest.mark.parametrize("code", sorted(CASES))
def test_case(code: str, update_golden: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 16_000_000_000)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as raised:
        CASES[code](tmp_path)
    assert code in {found.code for found in raised.value.diagnostics}
    text = re.sub(r"spec\.yaml:\d+:\d+", "spec.yaml", render(raised.value.diagnostics).replace(f"{tmp_path}", "here"))
    golden = GOLDEN / f"{code}.txt"
    if update_golden:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text("utf-8")


def test_every_code_has_its_case() -> None:
    told = {code for path in CORPUS_CASES for _, _, code, _ in expected(path)}
    assert set(CODES) - told - set(CASES) == set()
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)
