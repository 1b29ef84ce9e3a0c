"""Quick fixes mend what they are offered for: over the corpus of diagnostics, and one of each sort."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from archspec.editing import Document
from archspec.editing.fixes import Fix
from tests.diagnostics.corpus_case import CASES, CORPUS, text_of
from tests.editor.documents import DECODER, document

MEANT = re.compile(r"help: did you mean `")


def applied(opened: Document, text: str, fix: Fix) -> str:
    lines = opened.checked.lines
    return text[: lines.offset(fix.extent.start)] + fix.text + text[lines.offset(fix.extent.end) :]


def all_fixes(opened: Document) -> list[Fix]:
    found = {(fix.title, fix.extent): fix for one in opened.findings() for fix in opened.fixes(one.extent)}
    return list(found.values())


@pytest.mark.parametrize(
    ("old", "new", "fixed"),
    [
        ("input: source", "input: sorce", "input: source"),
        ("block: decoder", "block: decoderr", "block: decoder"),
        ("residual: pre", "residual: pree", "residual: pre"),
        ("    layers: 2", "    layer: 2", "    layers: 2"),
        ("tie: source.table", "tie: source.tabel", "tie: source.table"),
        ("dim: d_model", "dim: d_modle", "dim: d_model"),
        ("heads: 4", "heads: 04", "heads: 4"),
        ("activation: relu}", "activation: relu, gated: yes}", "activation: relu, gated: true}"),
        ("mask: causal}", "mask: causal and all}", "mask: causal & all}"),
        ("dims:\n", "dims: &d\n", "dims: \n"),
        (
            "  logits: float[batch, length, vocab]",
            "  logits: float[batch, length, 7]",
            "  logits: float[batch, length, 50]",
        ),
        ("- causal: {output", "- cusal: {output", "- causal: {output"),
    ],
)
def test_a_fix_of_each_sort(old: str, new: str, fixed: str) -> None:
    text = DECODER.replace(old, new)
    assert text != DECODER
    opened = document(text)
    found = [applied(opened, text, fix) for fix in all_fixes(opened)]
    assert DECODER.replace(old, fixed) in found


def test_over_the_corpus(tmp_path: Path) -> None:
    """What is offered is valid; every help that names what was meant is offered as a fix."""
    shutil.copytree(CORPUS / "files", tmp_path / "files")
    offered = 0
    for case in CASES:
        text = text_of(case)
        opened = document(text, case.name, folder=tmp_path)
        found = opened.findings()
        for one in (one for one in found if MEANT.search(one.message)):
            fixes = opened.fixes(one.extent)
            elsewhere = one.diagnostic.primary is None or one.diagnostic.primary.span.source.name != str(opened.path)
            assert fixes or elsewhere, f"{case.name}: {one.message}"
            for fix in fixes:
                after = document(applied(opened, text, fix), case.name, folder=tmp_path).findings()
                assert sum(other.code == one.code for other in after) < sum(other.code == one.code for other in found)
            offered += bool(fixes)
    assert offered >= 15


def test_a_fix_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor asks at each move of the pointer, and to try an edit takes a check."""
    opened = document(DECODER.replace("input: source", "input: sorce"))
    (finding,) = opened.findings()
    first = opened.fixes(finding.extent)
    assert first
    monkeypatch.setattr("archspec.editing.fixes._mends", None)
    assert opened.fixes(finding.extent) == first
    opened.change(DECODER.replace("input: source", "input: sourze"))
    with pytest.raises(TypeError):
        opened.fixes(opened.findings()[0].extent)
