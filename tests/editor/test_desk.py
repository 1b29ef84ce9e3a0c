"""Open files: those that were never saved, and one file that is open under two names."""

from __future__ import annotations

from pathlib import Path

from archspec.editing import Desk, Document
from archspec.editing.library import Library
from tests.editor.documents import DECODER, place

CHILD = "archspec: 1\nextends: base.yaml\nname: child\nconstants: {heads: 2}\n"
WRONG = DECODER.replace("heads: 4", "heads: 5")


def codes(opened: Document) -> list[str]:
    return [one.code for one in opened.findings()]


def test_each_name_of_a_file_has_its_own_text(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DECODER, "utf-8")
    (tmp_path / "link.yaml").symlink_to("base.yaml")
    library = Library(Desk((tmp_path,)))
    base, link, child = (Document(tmp_path / f"{name}.yaml", "", library) for name in ("base", "link", "child"))
    for one, text in ((base, DECODER), (link, DECODER), (child, CHILD)):
        one.change(text)
    base.change(WRONG)
    assert (codes(base), codes(link)) == (["E340"], [])
    link.close()
    assert codes(base) == ["E340"]
    # What is read under another name of an open file is the text that changed last.
    link.change(DECODER.replace("block: decoder", "block: decodr"))
    base.close()
    assert codes(child) == ["E225"]


def test_a_rename_in_a_file_that_is_open_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DECODER, "utf-8")
    (tmp_path / "link.yaml").symlink_to("base.yaml")
    (tmp_path / "child.yaml").write_text(CHILD, "utf-8")
    library = Library(Desk((tmp_path,)))
    text = f"# another text\n{DECODER}"
    link = Document(tmp_path / "link.yaml", text, library)
    edits = link.rename(place(text, "|heads: 4"), "many")
    assert sorted(Path(one.spot.file).name for one in edits) == ["base.yaml", "base.yaml", "child.yaml"]
    assert {one.spot.extent.start for one in edits} >= {place(text, "|heads: 4")}


def test_a_file_that_was_never_saved_can_be_extended(tmp_path: Path) -> None:
    library = Library(Desk(()))
    child = Document(tmp_path / "child.yaml", CHILD, library)
    assert codes(child) == ["E208"]
    base = Document(tmp_path / "base.yaml", DECODER, library)
    assert codes(child) == []
    assert [one.file for one in child.definition(place(CHILD, "ba|se"))] == [str(tmp_path / "base.yaml")]
    assert "base.yaml" in [one.label for one in child.completions(place(CHILD, "extends: |base"))]
    base.change(WRONG.replace("heads: 5", "heads: 4, width: 5"))
    assert [one.extent.start for one in child.references(place(CHILD, "|heads"))] != []
    base.close()
    assert codes(child) == ["E208"]
    assert child.definition(place(CHILD, "ba|se")) == ()
