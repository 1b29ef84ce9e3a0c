"""A place in a shipped spec is named as a user names the spec, and never by the folder of the installation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archspec.checking import Report, check
from archspec.diagnostics import Diagnostic, render, to_json
from archspec.diagnostics.error import SpecError
from archspec.diagnostics.sarif import to_sarif
from archspec.editing import Document
from archspec.spec.shipped import shipped_specs_dir
from archspec.views.html.document import Reported, document

FOLDER = str(shipped_specs_dir())
WRONG = "archspec: 1\nextends: gpt2\nname: mine\nconstants: {d_model: 770}\n"


def found(path: Path, text: str) -> tuple[Diagnostic, ...]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        check(path)
    return caught.value.diagnostics


def leaking(path: Path) -> Report:
    path.write_text("archspec: 1\nextends: gpt2\nname: mine\n", encoding="utf-8")
    return check(path, set=["graph.states.block=transformer", "graph.states.attention.mask=all"], reduced=True)


def test_errors_in_a_parent_are_at_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (one,) = found(Path("mine.yaml"), WRONG)
    assert "\n  --> gpt2:26:24\n" in render(one)
    assert to_json(one)["file"] == "gpt2"
    log = json.dumps(to_sarif([one], file="mine.yaml", version="1"))
    # A code host shows it at the file that was checked.
    assert "in `gpt2:26`" in log and '"uri": "mine.yaml"' in log
    assert FOLDER not in render(one) + log


def test_a_report_names_no_folder_of_the_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = leaking(Path("mine.yaml"))
    assert not report.holds
    page = document([Reported(label="mine", report=report)])
    assert "gpt2, line " in page or "gpt2:" in page
    assert FOLDER not in page and str(tmp_path) not in page


def test_an_editor_still_opens_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(WRONG, encoding="utf-8")
    document = Document(path, WRONG)
    (one,) = document.findings()
    assert any(spot.file == str(shipped_specs_dir() / "gpt2.yaml") for spot, _ in one.related)
