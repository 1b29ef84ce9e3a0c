"""`archspec check` of several files at once, as hooks and reviews call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archspec.cli import cli
from tests.reviews.throwaway import DECODER, OTHER


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    texts = {
        "good.yaml": DECODER,
        "leak.yaml": DECODER.replace("mask: last(3)", "mask: all"),
        "child.yaml": "archspec: 1\nextends: ./leak.yaml\nname: child\n",
        "broken.yaml": DECODER.replace("heads: 2", "heads: 3"),
        "ci.yaml": OTHER,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments])


def test_each_is_told_and_one_that_fails_fails_all(files: Path) -> None:
    found = said("good.yaml", "leak.yaml", "broken.yaml")
    assert found.exit_code == 1
    assert found.stdout.startswith("small: ")
    assert found.stdout.count("parameters") == 1
    assert "error[E420]" in found.stderr and "leak.yaml:14" in found.stderr
    assert "broken.yaml:14" in found.stderr


def test_files_that_are_no_specs_are_skipped_on_demand(files: Path) -> None:
    assert said("good.yaml", "ci.yaml", "--skip-others").exit_code == 0
    assert said("good.yaml", "ci.yaml").exit_code == 1
    assert said("ci.yaml", "--skip-others", "--json").stdout == '{\n  "holds": true,\n  "specs": []\n}\n'


def test_a_spec_in_braces_is_none_of_the_others(files: Path) -> None:
    (files / "braces.yaml").write_text('{\n  "name": "x",\n  "archspec": 1\n}\n', encoding="utf-8")
    (files / "quoted.yaml").write_text('"archspec": 1\nname: x\n', encoding="utf-8")
    found = said("braces.yaml", "quoted.yaml", "--skip-others")
    assert found.exit_code == 1
    assert "braces.yaml:2" in found.stderr and "quoted.yaml:1" in found.stderr


def test_data_of_several_names_each(files: Path) -> None:
    data = json.loads(said("good.yaml", "broken.yaml", "--json").stdout)
    assert data["holds"] is False
    assert [(one["spec"], one["holds"]) for one in data["specs"]] == [("good.yaml", True), ("broken.yaml", False)]
    assert json.loads(said("good.yaml", "--json").stdout)["name"] == "small"


def test_what_is_wrong_in_a_parent_is_in_the_log_once(files: Path) -> None:
    (run,) = json.loads(said("broken.yaml", "leak.yaml", "child.yaml", "--sarif").stdout)["runs"]
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]]
    assert sorted(places) == ["broken.yaml", "leak.yaml"]
