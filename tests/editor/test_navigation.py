"""Definitions, references, the outline and hints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.editing import Desk, Document, Lines
from archspec.editing.library import Library
from archspec.editing.outline import Item
from archspec.ir.types import TensorType
from tests.editor.documents import DECODER, at, document, place, shipped


@pytest.mark.parametrize(
    ("before", "defined"),
    [
        ("dim: |d_model", "d_model: 16"),
        ("4*|d_model", "d_model: 16"),
        ("int64[|batch", "batch: ["),
        ("ids: |ids", "ids: int64"),
        ("input: |source", "source: {"),
        ("tie: so|urce.table", "source: {"),
        ("output: |logits", "logits: {block"),
        ("|logits: float", "logits: {block"),
        ("|d_model: 16", "d_model: 16"),
    ],
)
def test_definitions(before: str, defined: str) -> None:
    (found,) = document().definition(place(DECODER, before))
    assert found.extent.start == place(DECODER, f"|{defined}")


def test_files_are_definitions_too(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DECODER, "utf-8")
    text = "archspec: 1\nextends: base.yaml\nname: child\nconstants: {d_model: 32}\nrules: []\n"
    opened = document(text, "child.yaml", folder=tmp_path)
    assert [one.file for one in opened.definition(place(text, "extends: ba|se"))] == [str(tmp_path / "base.yaml")]
    # A name that overrides another leads to the other.
    (found,) = opened.definition(place(text, "|d_model"))
    assert found.file == str(tmp_path / "base.yaml")
    assert found.extent.start == place(DECODER, "|d_model: 16")


def test_blocks_and_kinds_are_defined_where_the_file_says() -> None:
    _, text = shipped("gated-attention")
    (found,) = document(text).definition(place(text, "block: gated|_attention"))
    assert found.extent.start == place(text, "|gated_attention:")
    path, text = shipped("gpt-oss-20b")
    opened = document(text, folder=path.parent)
    kind = re.search(r"pattern: \[(\w+)", text)
    lines = opened.read.lines
    (found,) = opened.definition(lines.place(kind.start(1)))
    assert at(text, found.extent) == kind[1]
    assert text[lines.offset(found.extent.end)] == ":"


def test_references() -> None:
    opened = document()
    found = opened.references(place(DECODER, "|d_model: 16"))
    assert len(found) == DECODER.count("d_model")
    assert [at(DECODER, one.extent) for one in found] == ["d_model"] * 3
    assert len(opened.references(place(DECODER, "|d_model: 16"), declared=False)) == 2
    assert opened.highlights(place(DECODER, "|d_model: 16")) == tuple(one.extent for one in found)
    assert opened.references(place(DECODER, "resid|ual")) == ()


def test_references_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DECODER, "utf-8")
    (tmp_path / "child.yaml").write_text(
        "archspec: 1\nextends: base.yaml\nname: child\nconstants: {heads: 2}\n", "utf-8"
    )
    opened = Document(tmp_path / "base.yaml", DECODER, Library(Desk((tmp_path,))))
    found = [Path(one.file).name for one in opened.references(place(DECODER, "|heads: 4"))]
    assert found == ["base.yaml"] * 2 + ["child.yaml"]


def test_a_text_that_does_not_parse_keeps_its_last_names() -> None:
    opened = document()
    opened.findings()
    broken = DECODER.replace("outputs:", "outputs: [")
    opened.change(broken)
    (found,) = opened.definition(place(broken, "dim: |d_model"))
    assert at(broken, found.extent) == "d_model"
    assert len(opened.references(place(broken, "|d_model: 16"))) == 3
    assert [item.name for item in opened.outline()][:4] == ["archspec", "name", "constants", "dims"]
    assert [one.text for one in opened.hints()] == [
        "= 64",
        *[": float[batch, length, 16]"] * 2,
        ": float[batch, length, 50]",
    ]


def test_hints_of_an_older_text_say_so() -> None:
    opened = document()
    before = [one.text for one in opened.hints()]
    opened.change(DECODER.replace("heads: 4,", "heads: 5,"))
    assert [one.code for one in opened.findings()] != []
    assert [one.text for one in opened.hints()] == [f"{text} (before)" for text in before]


def flat(items: tuple[Item, ...], above: str = "") -> list[str]:
    return [name for one in items for name in (f"{above}{one.name}", *flat(one.inside, f"{above}{one.name}/"))]


def test_the_outline() -> None:
    found = flat(document().outline())
    assert found == [
        *("archspec", "name", "constants", "constants/vocab", "constants/d_model", "constants/heads"),
        *("constants/hidden", "dims", "dims/batch", "dims/length", "inputs", "inputs/ids", "defaults", "graph"),
        *("graph/source", "graph/states", "graph/logits", "outputs", "outputs/logits", "rules", "rules/causal"),
    ]


def test_the_outline_of_every_item_holds_its_name_and_what_is_inside() -> None:
    for name in ("gated-attention", "swin-t", "gpt-oss-20b"):
        _, text = shipped(name)
        opened = document(text)
        check_inside(opened.read.lines, opened.outline(), 0, len(text))


def check_inside(lines: Lines, items: tuple[Item, ...], start: int, end: int) -> None:
    for one in items:
        first, last = lines.offset(one.extent.start), lines.offset(one.extent.end)
        assert start <= first <= lines.offset(one.selection.start) <= lines.offset(one.selection.end) <= last <= end
        check_inside(lines, one.inside, first, last)


@pytest.mark.parametrize("name", ["gpt2", "gated-attention", "resnet-50", "transformer-big", "deit-s-distilled"])
def test_hints_are_the_types_of_the_nodes(name: str) -> None:
    """Each node that a file writes has its type in the line that its name starts."""
    path, text = shipped(name)
    opened = document(text, path.name, folder=path.parent)
    by_line: dict[int, list[str]] = {}
    for one in opened.hints():
        by_line.setdefault(one.place.line, []).append(one.text)
    spec = check(path).spec
    names = opened.read.names
    wanted = 0
    for one in names.definitions.values():
        if one.what == "a node" and one.name.scope == ("file",) and one.span.source.name == str(path):
            value = spec.values[one.name.text]
            assert isinstance(value.type, TensorType)
            assert f": {value.type}" in by_line[one.span.line - 1]
            wanted += 1
    assert wanted or "extends" in text
