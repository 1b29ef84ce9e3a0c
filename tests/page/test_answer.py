"""Answers to the page: findings at their places, parts as HTML, the module of a spec that holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.diagnostics import to_json
from archspec.page import assistance, browser
from archspec.page.answer import PARTS, answer, check_text, checked, forget
from archspec.page.browser import ask
from archspec.rules.wiring import values

TEXT = """\
archspec: 1
name: small
dims: {batch: [1, 4, 64], length: [1, 8, 32]}
defaults: {norm: layer_norm}
inputs: {x: "float[batch, length, 8]"}
graph:
  y:
    block: transformer
    input: x
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 2, mask: causal}
    feed_forward: {hidden: 16, activation: relu}
outputs: {y: "float[batch, length, 8]"}
rules:
  - causal: {output: y, input: x}
"""
LEAK = TEXT.replace("mask: causal", "mask: all")


def test_a_spec_that_holds_has_every_part() -> None:
    found = answer(TEXT, "small.yaml", PARTS, {"length": 16})
    assert (found["loads"], found["holds"], found["violated"], found["findings"]) == (True, True, False, [])
    assert set(found["parts"]) == set(PARTS)
    assert "class Small(nn.Module)" in found["parts"]["module"]
    assert "length 16" in found["parts"]["costs"]
    assert found["dims"]["length"] == {"least": 1, "typical": 8, "most": 32, "multiple": 1}
    assert json.loads(json.dumps(found)) == found


def test_a_leak_is_named_where_it_is_and_no_module_is_given() -> None:
    found = answer(LEAK, "small.yaml", ["verdicts", "module"])
    assert (found["loads"], found["holds"], found["violated"]) == (True, False, True)
    (one,) = found["findings"]
    assert one["code"] == "E420"
    assert LEAK[one["from"] : one["to"]] == "all"
    assert "module" not in found["parts"]
    assert "violated" in found["parts"]["verdicts"]


def test_a_text_that_does_not_load_has_findings_alone() -> None:
    found = answer(TEXT.replace("block: transformer", "block: transformr"), "small.yaml", PARTS)
    assert (found["loads"], found["dims"], list(found["parts"])) == (False, {}, ["findings"])
    assert "transformr" in found["parts"]["findings"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_places_count_as_javascript_does(mark: str) -> None:
    text = mark + "# 😀 and é\n" + TEXT.replace("layers: 2", "layers: two")
    (one,) = answer(text, "small.yaml")["findings"]
    units = text.encode("utf-16-le")
    assert units[2 * one["from"] : 2 * one["to"]].decode("utf-16-le") == "two"


def test_findings_are_those_of_a_file_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(LEAK)
    (wanted,) = (to_json(one) for one in check(Path("small.yaml")).diagnostics)
    (found,) = answer(LEAK, "small.yaml")["findings"]
    assert found | wanted | {"secondary": found["secondary"]} == found


def test_files_that_a_text_names_are_read_from_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TEXT)
    text = "archspec: 1\nextends: ./base.yaml\nname: other\n"
    assert answer(text, str(tmp_path / "other.yaml"))["holds"]
    (tmp_path / "base.yaml").write_text(LEAK)
    # The same text was asked about last, and is not checked again until it is forgotten.
    assert answer(text, str(tmp_path / "other.yaml"))["holds"]
    forget()
    assert not answer(text, str(tmp_path / "other.yaml"))["holds"]


def test_markup_in_a_spec_is_text() -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    text = TEXT.replace("name: small", f"name: small\nabout: '{evil}'").replace(
        "  y:\n", f"  y:\n    title: '{evil}'\n"
    )
    for one in (text, LEAK.replace("mask: all", f"mask: '{evil}'"), TEXT.replace("layers: 2", f"layers: '{evil}'")):
        parts = answer(one, "<b>.yaml", [part for part in PARTS if part != "module"])["parts"]
        for part, markup in parts.items():
            assert "<img" not in markup, part
            assert "<script" not in markup, part
            assert "<b>" not in markup, part


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'picture'"):
        answer(TEXT, "small.yaml", ["pictur"])


def test_the_worker_says_where_it_does_not_run_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def note(text: str) -> str | None:
        request = {"ask": "answer", "text": text, "file": "a.yaml", "parts": [], "sizes": {}}
        answered: dict[str, str] = json.loads(ask(json.dumps(request)))
        return answered.get("note")

    assert note(LEAK) is None
    monkeypatch.setattr(browser, "MOST_WEIGHTS", 100)
    assert "too large" in str(note(LEAK))
    assert note(TEXT) is None


def test_what_is_prepared_is_what_the_next_violation_draws() -> None:
    _, found = check_text(browser._LEAK, "leak.yaml")
    assert [one.code for one in found] == ["E420"]
    assert any("path from `x`" in note for note in found[0].notes)
    # Numbers for all weights are there, and the text that was asked about last is still the one that is known.
    values._stretch.cache_clear()
    answer(TEXT, "small.yaml")
    browser.prepare(json.dumps({"text": TEXT, "file": "small.yaml"}))
    drawn, known = values._stretch.cache_info().misses, checked.cache_info().misses
    answer(TEXT, "small.yaml", ["tree"])
    assert checked.cache_info().misses == known
    assert answer(LEAK, "small.yaml")["violated"]
    assert values._stretch.cache_info().misses == drawn > 1


def test_what_the_editor_asks_counts_as_javascript_does() -> None:
    text = f"# 😀\n{TEXT}"
    units = text.encode("utf-16-le")

    def at(word: str) -> int:
        return len(text[: text.index(word)].encode("utf-16-le")) // 2

    told = assistance.hover(text, "a.yaml", at("  y:") + 2)
    assert told is not None
    assert units[2 * told["from"] : 2 * told["to"]].decode("utf-16-le") == "y"
    assert "float[batch, length, 8]" in told["text"]
    assert assistance.hover(text, "a.yaml", 3) is None
    offered = assistance.completions(text, "a.yaml", at("relu") + 1)
    assert "gelu" in {one["label"] for one in offered}
    assert units[2 * offered[0]["from"] : 2 * offered[0]["to"]].decode("utf-16-le") == "relu"
    wrong = text.replace("mask: causal", "mask: causl")
    place = len(wrong[: wrong.index("causl")].encode("utf-16-le")) // 2
    (fix, *_) = assistance.fixes(wrong, "a.yaml", place, place + 5)
    data = wrong.encode("utf-16-le")
    mended = data[: 2 * fix["from"]] + fix["text"].encode("utf-16-le") + data[2 * fix["to"] :]
    assert mended.decode("utf-16-le") == text
