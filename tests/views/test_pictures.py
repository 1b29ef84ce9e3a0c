"""Pictures as files: the ones in the docs are current, hostile text is text, and the command writes them."""

from __future__ import annotations

import json
import string
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from archspec.views.canvas import Canvas
from archspec.views.diagram.draw import diagram
from archspec.views.fonts import fitted, width, wrapped
from tests.cli.conftest import Command, archspec, folder
from tests.documents import examples, run
from tests.editing import edited
from tests.views.drawn import ARIAL, arial, read

__all__ = ["archspec", "folder"]
ROOT = Path(__file__).resolve().parent.parent.parent
SVG = "{http://www.w3.org/2000/svg}"


def gallery() -> ModuleType:
    found = spec_from_file_location("pictures", ROOT / "tools" / "pictures.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_pictures_of_the_docs_are_current() -> None:
    tool = gallery()
    assert {path.name for path in tool.FOLDER.iterdir()} == set(tool.PICTURES)
    for name, draw in tool.PICTURES.items():
        assert (tool.FOLDER / name).read_text(encoding="utf-8") == draw(), f"{name}: run tools/pictures"


def test_the_examples_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    for example in examples(ROOT / "docs" / "pictures.md"):
        run(example, tmp_path)


def test_pictures_have_a_background_and_no_script() -> None:
    for path in (ROOT / "docs" / "pictures").iterdir():
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        first = root.find(f"{SVG}rect")
        assert first is not None
        assert first.attrib["fill"] == "#ffffff"
        assert all(float(first.attrib[key]) >= float(root.attrib[key]) for key in ("width", "height"))
        assert {element.tag for element in root.iter()} <= {
            f"{SVG}{name}" for name in ("svg", "g", "title", "rect", "circle", "path", "polygon", "text")
        }


HOSTILE = '<script>alert("1")</script> & ]]> \x07 日本語 '


def test_hostile_text_is_text(tmp_path: Path) -> None:
    spec = (shipped_specs_dir() / "gpt2.yaml").read_text(encoding="utf-8")
    long = "a_very_long_name_" * 12
    spec = edited(spec, ("source", long), ("states", f"{long}2"))
    about = json.dumps(HOSTILE.replace("\x07", "") * 12)
    spec = "\n".join(f"about: {about}" if line.startswith("about:") else line for line in spec.splitlines())
    (tmp_path / "hostile.yaml").write_text(spec, encoding="utf-8")
    document = diagram(load(tmp_path / "hostile.yaml"))
    root = ElementTree.fromstring(document)
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert any('<script>alert("1")</script>' in (element.text or "") for element in root.iter(f"{SVG}text"))
    found = read(document)
    for area, inside in found.inside:
        assert all(area.holds(one) for one in inside)
    assert all(found.whole.holds(text) for text in found.texts)


def test_what_xml_cannot_hold_is_replaced() -> None:
    canvas = Canvas.of_size(10, 10, HOSTILE)
    canvas.group(kind="box", part=HOSTILE).text((1, 1), HOSTILE, size=10)
    root = ElementTree.fromstring(canvas.svg())
    replaced = HOSTILE.replace("\x07", "\ufffd")
    assert [element.text for element in root.iter() if element.text] == [replaced, replaced]
    (group,) = root.findall(f"{SVG}g")
    assert group.get("data-part") == replaced


def test_widths_are_no_less_than_those_of_arial() -> None:
    for character in [*string.ascii_letters, *string.digits, *ARIAL]:
        for bold in (False, True):
            assert width(character, 10, bold=bold) >= arial(character, 10) - 0.3, character
    assert width("日", 10) >= 10


def test_text_is_cut_and_wrapped_to_its_room() -> None:
    assert fitted("short", 10, 100) == "short"
    cut = fitted("a rather long line of words", 10, 60)
    assert cut.endswith("…")
    assert width(cut, 10) <= 60
    assert fitted("x" * 200_000, 10, 60) == fitted("x" * 100, 10, 60)
    for room in range(0, 90, 7):
        text = "a rather long line"
        longest = max((n for n in range(len(text)) if width(f"{text[:n]}…", 10) <= room), default=0)
        assert fitted(text, 10, room) == (text if width(text, 10) <= room else f"{text[:longest].rstrip()}…")
    lines = wrapped("a rather long line of words and averyveryverylongwordindeed", 10, 60)
    assert all(width(line, 10) <= 60 for line in lines)
    assert " ".join(lines).startswith("a rather long line of words and")


def test_show_writes_the_picture(archspec: Command, folder: Path) -> None:
    ran = archspec("show", "small.yaml", "--svg", "small.svg")
    assert (ran.status, ran.out) == (0, "wrote small.svg\n")
    assert (folder / "small.svg").read_text(encoding="utf-8") == diagram(load(folder / "small.yaml"))
    assert archspec("show", "small.yaml", "--svg", "no/such/folder.svg").err.startswith("error[E702]")


def test_show_draws_masks_and_relations(archspec: Command, folder: Path) -> None:
    mask = archspec("show", "small.yaml", "--mask", "states")
    assert mask.out.splitlines()[0] == "Masks of states in small"
    data = archspec("show", "small.yaml", "--mask", "states.layers.1.attention", "--json").data
    (panel,) = data["panels"]
    assert panel["cells"] == [[int(column <= row) for column in range(12)] for row in range(12)]
    assert data["levels"] == ["may not attend", "may attend"]
    relation = archspec("show", "small.yaml", "--relation", "ids", "logits")
    assert relation.out.splitlines()[1] == "proved at all sizes: logits[i] reads ids[j] only where causal"
    inner = archspec("show", "small.yaml", "--relation", "ids", "states.layers.0", "--json").data
    assert inner["panels"][0]["cells"][0] == [2, *[0] * 11]
    written = archspec("show", "small.yaml", "--relation", "ids", "logits", "--svg", "relation.svg")
    assert written.out == "wrote relation.svg\n"
    ElementTree.parse(folder / "relation.svg")


@pytest.mark.parametrize("extra", [["--ir"], ["--relation", "ids", "logits"]])
def test_one_picture_at_a_time(archspec: Command, extra: list[str]) -> None:
    assert archspec("show", "small.yaml", "--mask", "states", *extra).status == 2
