"""Renaming: the files say the same afterwards, and what cannot be renamed is refused."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from archspec.editing import Desk, Document
from archspec.editing.library import Library
from archspec.editing.rename import RenameRefusedError, edited
from archspec.spec.shipped import shipped_specs_dir
from tests.editor.documents import DECODER, at, document, place, shipped
from tests.editor.renaming import NEW, Renamer

SPECS = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))

OF_TWO_BLOCKS = {("mit-b0", block, name) for block in ("layer", "coarse_layer") for name in ("attended", "y")}


@pytest.fixture(scope="module")
def renamer(tmp_path_factory: pytest.TempPathFactory) -> Renamer:
    """One for all specs: what it has read of the others is known for the next."""
    return Renamer(tmp_path_factory.mktemp("renamed"))


def some(renamer: Renamer, specs: list[str], each: int | None) -> list[str]:
    """What is wrong after renaming some names of each spec, or all."""
    wrong, chance = [], Random(7)
    for spec in specs:
        names = renamer.names(spec)
        for name in names if each is None else chance.sample(names, min(each, len(names))):
            found = renamer.rename(spec, name)
            if " is the name of a node of the block " in found.refused:
                # One line of a layout is about two blocks: no text says that for a new name of one of them.
                assert (spec, name.scope[-1], name.text) in OF_TWO_BLOCKS
                continue
            told = found.refused or found.wrong or ("" if f"{spec}.yaml" in found.files else "its own file stays")
            wrong += [f"{spec}: {name.text}: {told}"] if told else []
    return wrong


def test_some_names_of_some_specs(renamer: Renamer) -> None:
    assert some(renamer, ["gated-attention", "clip-vit-b32", "roberta-base"], 2) == []


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("spec", SPECS)
def test_every_name_of_every_shipped_spec(spec: str, renamer: Renamer) -> None:
    assert some(renamer, [spec], None) == []


def test_a_name_is_renamed_in_the_files_that_extend_its_own(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DECODER, "utf-8")
    child = "archspec: 1\nextends: base.yaml\nname: child\nconstants: {d_model: 32}\ngraph:\n  states: {layers: 3}\n"
    (tmp_path / "child.yaml").write_text(child, "utf-8")
    (tmp_path / "stranger.yaml").write_text(DECODER.replace("small", "other"), "utf-8")
    library = Library(Desk((tmp_path,)))
    opened = Document(tmp_path / "child.yaml", child, library)
    for part, texts in (
        ("|d_model", {"base.yaml": 3, "child.yaml": 1}),
        ("|states", {"base.yaml": 2, "child.yaml": 1}),
    ):
        edits = opened.rename(place(child, part), NEW)
        found = [Path(one.spot.file).name for one in edits]
        assert {name: found.count(name) for name in found} == texts
    # The open text of the base counts, not the one on disk.
    text = DECODER.replace("d_model", "width")
    base = Document(tmp_path / "base.yaml", text, library)
    assert [Path(one.spot.file).name for one in base.rename(place(text, "|width: 16"), NEW)] == ["base.yaml"] * 3
    assert [Path(one.spot.file).name for one in opened.rename(place(child, "|d_model"), NEW)] == ["child.yaml"]


@pytest.mark.parametrize(
    ("before", "new", "why"),
    [
        ("|d_model: 16", "heads", "`heads` is the name of a constant in small.yaml"),
        ("|d_model: 16", "states", "`states` is the name of a node"),
        ("|d_model: 16", "causal", "`causal` is a reserved word"),
        ("|d_model: 16", "2x", "`2x` is not a name"),
        ("|d_model: 16", "", "`` is not a name"),
        ("|d_model: 16", "a.b", "`a.b` is not a name"),
        ("|d_model: 16", "größe", "is not a name"),
        ("resid|ual: pre", "x", "this is not a name that the file defines"),
        ("mask: cau|sal", "x", "this is not a name that the file defines"),
        ("block: |decoder", "x", "this is not a name that the file defines"),
    ],
)
def test_what_is_refused(before: str, new: str, why: str) -> None:
    with pytest.raises(RenameRefusedError, match=why):
        document().rename(place(DECODER, before), new)


def test_a_name_of_a_shipped_spec_cannot_be_renamed_from_one_that_extends_it(tmp_path: Path) -> None:
    text = "archspec: 1\nextends: gpt2\nname: mine\nconstants: {d_model: 96}\n"
    opened = document(text, "mine.yaml", folder=tmp_path)
    assert opened.findings() == ()
    with pytest.raises(RenameRefusedError, match=r"`d_model` stands in gpt2.yaml, which comes with archspec"):
        opened.rename(place(text, "|d_model"), NEW)


def test_a_text_that_does_not_parse_and_a_folded_name_are_refused() -> None:
    broken = DECODER.replace("dims:", "dims: {")
    opened = document(broken)
    assert opened.renamable(place(broken, "|d_model: 16")) is None
    with pytest.raises(RenameRefusedError, match="does not parse"):
        opened.rename(place(broken, "|d_model: 16"), NEW)
    folded = DECODER.replace("hidden: 4*d_model}", 'hidden: "4*\\x64_model"}')
    assert folded != DECODER
    assert document(folded).findings() == ()
    with pytest.raises(RenameRefusedError, match=r"line 3 of small.yaml is folded or has escapes"):
        document(folded).rename(place(folded, "|d_model: 16"), NEW)


@pytest.mark.parametrize("part", ["|d_model: 16", "dim: d_mod|el", "4*|d_model", "hidden: hid|den", "input: |ids}"])
def test_the_extent_of_a_name(part: str) -> None:
    found = document().renamable(place(DECODER, part))
    assert found is not None
    assert at(DECODER, found) == part.replace("|", "").split(":")[-1].split("*")[-1].strip(" }16") or part


def test_words_that_look_like_names_stay(tmp_path: Path) -> None:
    """A constant, a node and words of the language may be spelled alike: only names are changed."""
    text = (
        DECODER.replace("heads: 4", "heads: 4, gelu: 3, pre: 2")
        .replace("activation: relu", "activation: gelu")
        .replace("layers: 2", "layers: pre")
    )
    opened = document(text)
    assert opened.findings() == ()
    for name, count in (("pre: 2", 2), ("gelu: 3", 1)):
        edits = opened.rename(place(text, f"|{name}"), NEW)
        assert len(edits) == count
        changed = edited(text, edits)
        assert "residual: pre" in changed
        assert "activation: gelu" in changed


def test_fields_of_blocks_are_renamed_where_they_are_given() -> None:
    _, text = shipped("gated-attention")
    edits = document(text).rename(place(text, "|hidden: size"), NEW)
    changed = edited(text, edits)
    assert f"fields: {{{NEW}: size" in changed
    assert f"{NEW}: d_gate" in changed
    assert f"dim: {NEW}, activation" in changed


CONV = """archspec: 1
name: small
constants: {pad: 1}
dims: {batch: [1, 2, 4]}
inputs: {x: "float[batch, 3, 8, 8]"}
graph:
  y: {block: conv, input: x, channels: 4, kernel: 3, padding: pad}
outputs: {y: "float[batch, 4, 8, 8]"}
"""
SUBSTITUTED = """archspec: 1
name: small
dims: {batch: [1, 2, 4]}
inputs: {x: "float[batch, 8]"}
blocks:
  two:
    fields: {act: activation}
    inputs: {z: "float[b, d]"}
    graph:
      one: {block: linear, input: z, dim: d, activation: act}
      out: {block: linear, input: one, dim: d, activation: gelu}
    outputs: {out: "float[b, d]"}
graph:
  y: {block: two, z: x, act: relu}
outputs: {y: "float[batch, 8]"}
"""


@pytest.mark.parametrize(
    ("text", "before", "new"),
    [(CONV, "|pad: 1", "same"), (CONV, "|pad: 1", "circular"), (SUBSTITUTED, "|act: activation", "gelu")],
)
def test_a_name_that_a_field_takes_for_a_word_is_refused(text: str, before: str, new: str) -> None:
    """Each of these loads afterwards, with the same types, counts and verdicts, and says something else."""
    opened = document(text)
    assert opened.findings() == ()
    with pytest.raises(RenameRefusedError, match=f"`{new}` would be taken for something else"):
        opened.rename(place(text, before), new)
    assert opened.rename(place(text, before), NEW)


def test_names_in_the_first_line_of_a_text_with_a_byte_order_mark() -> None:
    text = (
        '\ufeff{archspec: 1, name: c, constants: {n: 8}, dims: {b: [1, 2, 4]}, inputs: {x: "float[b, n]"}, '
        'graph: {y: {block: linear, input: x, dim: n}}, outputs: {y: "float[b, n]"}}\n'
    )
    edits = document(text).rename(place(text, "{|n: 8"), NEW)
    assert edited(text, edits) == text.replace("{n: 8", f"{{{NEW}: 8").replace("b, n]", f"b, {NEW}]").replace(
        "dim: n", f"dim: {NEW}"
    )


CHILD = "archspec: 1\nextends: base.yaml\nname: child\nconstants: {d_model: 32}\n"


def test_a_file_that_does_not_parse_is_not_left_behind(tmp_path: Path) -> None:
    """Neither one that extends the file, nor one that the file extends, which might name it too."""
    library = Library(Desk(()))
    base, child = (Document(tmp_path / name, "", library) for name in ("base.yaml", "child.yaml"))
    base.change(DECODER)
    child.change(CHILD + "dims: {\n")
    with pytest.raises(RenameRefusedError, match=r"child.yaml, which extends base.yaml, does not parse"):
        base.rename(place(DECODER, "|d_model: 16"), NEW)
    base.change(DECODER + "rules: {\n")
    child.change(CHILD)
    with pytest.raises(RenameRefusedError, match=r"base.yaml, which child.yaml names, cannot be read"):
        child.rename(place(CHILD, "|d_model"), NEW)
    base.change(DECODER)
    assert len(child.rename(place(CHILD, "|d_model"), NEW)) == 4


def test_folders_that_are_too_large_to_look_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / f"other_{number}.yaml").write_text("a: 1\n", "utf-8")
    opened = document(folder=tmp_path)
    assert len(opened.rename(place(DECODER, "|d_model: 16"), NEW)) == 3
    monkeypatch.setattr("archspec.editing.desk._MOST_FILES", 3)
    with pytest.raises(RenameRefusedError, match="holds too many files to look for what extends this one"):
        opened.rename(place(DECODER, "|d_model: 16"), NEW)
    assert len(opened.references(place(DECODER, "|d_model: 16"))) == 3
