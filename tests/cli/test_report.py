"""`archspec report` as a command: one file, whole or not at all, and the exit status of a check."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import SMALL, Command
from tests.documents import ROOT, examples, run
from tests.views.page_elements import Elements


def words(path: str) -> str:
    return Elements(Path(path).read_text(encoding="utf-8")).words


def test_a_report_is_the_same_each_time(archspec: Command, folder: Path) -> None:
    ran = archspec("report", "small.yaml", "-o", "one.html")
    assert (ran.status, ran.out, ran.err) == (0, "wrote one.html\n", "")
    assert archspec("report", "small.yaml", "-o", "two.html", "--json").data == {
        "holds": True,
        "specs": ["small"],
        "written": "two.html",
    }
    assert (folder / "one.html").read_bytes() == (folder / "two.html").read_bytes()
    assert "causal(output: logits, input: ids) ✓ proved" in words("one.html")


def test_what_does_not_hold_is_reported_with_status_1(archspec: Command, folder: Path) -> None:
    text = SMALL.replace("block: decoder", "block: encoder").replace("mask: causal", "mask: all")
    (folder / "leaking.yaml").write_text(text, encoding="utf-8")
    ran = archspec("report", "leaking.yaml", "-o", "found.html")
    assert (ran.status, ran.out) == (1, "wrote found.html, which says what does not hold\n")
    assert "✗ violated" in words("found.html")
    assert 'class="lit wire"' in (folder / "found.html").read_text(encoding="utf-8")


def test_nothing_is_written_of_what_cannot_be_read(archspec: Command, folder: Path) -> None:
    (folder / "found.html").write_text("before", encoding="utf-8")
    ran = archspec("report", "small.yaml", "missing.yaml", "-o", "found.html")
    assert ran.status == 1 and "missing.yaml" in ran.err
    assert (folder / "found.html").read_text(encoding="utf-8") == "before"
    assert archspec("report", "small.yaml", "-o", "small.yaml").status == 2
    (folder / "spec.html").write_text(SMALL, encoding="utf-8")
    ran = archspec("report", "./spec.html", "-o", "spec.html")
    assert ran.status == 1 and "E702" in ran.err
    assert (folder / "spec.html").read_text(encoding="utf-8") == SMALL


def test_several_are_compared_and_told_apart(archspec: Command, folder: Path) -> None:
    (folder / "deep.yaml").write_text(SMALL.replace("layers: 2}", "layers: 3}"), encoding="utf-8")
    assert archspec("report", "small.yaml", "deep.yaml", "./small.yaml", "-o", "found.html").status == 0
    found = Elements((folder / "found.html").read_text(encoding="utf-8"))
    assert "small (small.yaml) and small (deep.yaml) and small (./small.yaml)" in found.words
    anchors = {one.get("id") for _, one in found.found}
    assert {"comparison", "spec-1", "spec-2", "spec-3", "masks-3"} <= anchors
    # The two that are one spec are one column.
    heads = found.words.split("What it is and costs")[1].split("parameters")[0]
    assert heads.count("small (") == 2


def test_specs_that_cannot_be_compared_are_reported(archspec: Command, folder: Path) -> None:
    ran = archspec("report", "small.yaml", "minilm-l6", "--set", "layers=1", "--reduced", "-o", "found.html")
    assert ran.status == 1 and "reduced" in ran.err
    assert archspec("report", "gpt2", "minilm-l6", "--reduced", "-o", "found.html").status == 0
    assert "minilm-l6 has 3 outputs that can be compared" in words("found.html")


def test_the_examples_of_the_page(tmp_path: Path) -> None:
    for example in examples(ROOT / "docs" / "report.md"):
        run(example, tmp_path)
