"""SARIF logs: the structure that the standard asks for, and places that readers find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import CODES, Diagnostic, Label, Source, explain
from archspec.diagnostics.sarif import SCHEMA, to_sarif
from tests.cli.conftest import Command, archspec, folder
from tests.diagnostics.corpus_case import CASES, copy_to, found_in

__all__ = ["archspec", "folder"]
_TEXT = {"text"}
SHAPES: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool"}, {"results", "columnKind", "originalUriBaseIds", "invocations"}),
    "tool": ({"driver"}, set()),
    "driver": ({"name"}, {"version", "rules"}),
    "rule": (
        {"id"},
        {"name", "shortDescription", "fullDescription", "help", "defaultConfiguration", "properties"},
    ),
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations", "relatedLocations"}),
    "location": ({"physicalLocation"}, {"id", "message"}),
    "physicalLocation": ({"artifactLocation", "region"}, set()),
    "artifactLocation": ({"uri"}, {"uriBaseId"}),
    "region": ({"startLine", "startColumn", "endLine", "endColumn"}, set()),
    "message": (_TEXT, {"markdown"}),
}
"""Of each object of the standard's schema (2.1.0) that a log uses: what it must have, and what else it may."""


def shaped(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    needed, allowed = SHAPES[kind]
    assert needed <= set(data) <= needed | allowed, (kind, data)
    return data


def check_log(log: dict[str, Any]) -> list[dict[str, Any]]:
    """Hold a log to the structure; returns its results."""
    assert shaped("log", log)["version"] == "2.1.0"
    assert log["$schema"] == SCHEMA
    (run,) = log["runs"]
    rules = shaped("driver", shaped("tool", shaped("run", run)["tool"])["driver"])["rules"]
    assert run["columnKind"] == "utf16CodeUnits"
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"].startswith("file:///")
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        for part in ("shortDescription", "fullDescription", "help"):
            assert shaped("message", shaped("rule", rule)[part])["text"].strip()
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
    for result in run["results"]:
        assert rules[shaped("result", result)["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert shaped("message", result["message"])["text"].strip()
        for location in (*result["locations"], *result.get("relatedLocations", [])):
            place = shaped("physicalLocation", shaped("location", location)["physicalLocation"])
            assert "\\" not in shaped("artifactLocation", place["artifactLocation"])["uri"]
            region = shaped("region", place["region"])
            assert all(isinstance(number, int) and number >= 1 for number in region.values())
            assert (region["startLine"], region["startColumn"]) <= (region["endLine"], region["endColumn"])
    return list(run["results"])


@pytest.mark.parametrize("path", CASES[::4], ids=[path.stem for path in CASES[::4]])
def test_logs_of_the_corpus(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_to(tmp_path, path)
    monkeypatch.chdir(tmp_path)
    found = found_in(path)
    results = check_log(json.loads(json.dumps(to_sarif(found, file=path.name, version="1.0"))))
    assert [(one["ruleId"], one["level"]) for one in results] == [(one.code, one.severity) for one in found]


def test_the_page_of_a_code_is_the_help_of_its_rule() -> None:
    log = to_sarif([Diagnostic(code="E301", message="m")], file="a.yaml", version="1.0")
    (rule,) = log["runs"][0]["tool"]["driver"]["rules"]  # type: ignore[index]
    assert rule["help"]["markdown"] == explain("E301")
    assert rule["shortDescription"]["text"] == CODES["E301"].title
    assert rule["fullDescription"]["text"] == "A size must be a whole number, but this expression leaves a remainder."


def test_columns_count_utf_16_code_units() -> None:
    source = Source("a.yaml", "𝒳 é: head\nx\n")
    start = source.text.index("head")
    found = Diagnostic(code="E101", message="m", primary=Label(source.span(start, start + 4)))
    (result,) = check_log(to_sarif([found], file="a.yaml", version="1"))
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 1, "startColumn": 7, "endLine": 1, "endColumn": 11}


def test_paths_are_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    inside, outside = Source("sub/a b.yaml", "x"), Source(str(tmp_path / "c.yaml"), "x")
    labels = (Label(outside.span(0, 1), "there"),)
    found = Diagnostic(
        code="E101", message="m", primary=Label(inside.span(0, 1)), secondary=labels, notes=("n",), help="h"
    )
    (result,) = check_log(to_sarif([found], file="a.yaml", version="1"))
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "sub/a%20b.yaml", "uriBaseId": "%SRCROOT%"}
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"]["artifactLocation"] == {"uri": (tmp_path / "c.yaml").as_uri()}
    assert related["message"] == {"text": "there"}
    assert result["message"]["text"] == "m\nnote: n\nhelp: h"


def test_what_stands_in_no_file_is_shown_at_the_file_that_was_checked() -> None:
    option = Source("--set", "heads=7")
    found = [
        Diagnostic(code="E340", message="m", primary=Label(option.span(6, 7))),
        Diagnostic(code="E208", message="n"),
    ]
    first, second = check_log(to_sarif(found, file="a.yaml", version="1"))
    for result in (second, first):
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "a.yaml"
        assert place["region"]["startLine"] == 1
    assert first["message"]["text"] == "m\nin `--set heads=7`"


def test_the_command(archspec: Command, folder: Path) -> None:
    held = archspec("check", "small.yaml", "--sarif")
    assert (held.status, check_log(held.data)) == (0, [])
    wrong = archspec("check", "small.yaml", "--sarif", "--set", "graph.states.attention.mask=all")
    assert wrong.status == 1
    assert {one["ruleId"] for one in check_log(wrong.data)} == {"E440"}
    (folder / "broken.yaml").write_text("archspec: 1\nname: [\n")
    (result,) = check_log(archspec("check", "broken.yaml", "--sarif").data)
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "broken.yaml"
    assert archspec("check", "small.yaml", "--sarif", "--json").status == 2
