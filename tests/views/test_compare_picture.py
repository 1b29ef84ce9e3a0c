"""The picture of a comparison shows what was measured, at the places where it belongs."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from archspec.views.comparison.compare import Comparison, compare
from archspec.views.comparison.picture import picture
from tests.cli.conftest import Command, archspec, folder

__all__ = ["archspec", "folder"]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def three() -> Comparison:
    return compare(["resnet-50", "vit-b16", "gpt2"], reduced=True)


@pytest.fixture(scope="module")
def drawn(three: Comparison) -> ElementTree.Element:
    return ElementTree.fromstring(picture(three.specs))


def groups(drawn: ElementTree.Element, kind: str) -> dict[str, ElementTree.Element]:
    found = (one for one in drawn.iter(f"{SVG}g") if one.attrib.get("class") == kind)
    return {one.attrib["data-panel"]: one for one in found}


def test_there_is_a_map_and_a_curve_for_each_spec(drawn: ElementTree.Element) -> None:
    for kind in ("cells", "curve"):
        assert list(groups(drawn, kind)) == ["resnet-50", "vit-b16", "gpt2"]


def test_curves_are_the_deviations(three: Comparison, drawn: ElementTree.Element) -> None:
    """Heights are proportional to the figures, with one scale for all curves."""
    points, figures = [], []
    for one in three.specs:
        assert one.measured is not None
        circles = list(groups(drawn, "curve")[one.subject.label].iter(f"{SVG}circle"))
        assert len(circles) == len(one.measured.output)
        points += [float(circle.attrib["cy"]) for circle in circles]
        figures += [deviation.largest for deviation in one.measured.output]
        places = [float(circle.attrib["cx"]) for circle in circles]
        moves = [deviation.by for deviation in one.measured.output]
        step = (places[-1] - places[0]) / (moves[-1] - moves[0])
        assert places == pytest.approx([places[0] + step * (by - moves[0]) for by in moves], abs=0.1)
    slope = (max(points) - min(points)) / (max(figures) - min(figures))
    assert points == pytest.approx([max(points) - slope * (one - min(figures)) for one in figures], abs=0.2)


def test_the_darkest_cell_is_where_the_energy_is(three: Comparison, drawn: ElementTree.Element) -> None:
    effective = three.specs[1].measured.effective if three.specs[1].measured else None
    assert effective is not None
    background, *cells = groups(drawn, "cells")["vit-b16"].iter(f"{SVG}rect")
    dark = min(cells, key=lambda cell: sum(bytes.fromhex(cell.attrib["fill"][1:])))
    side = float(background.attrib["width"]) / effective.energy.shape[1]
    row, column = divmod(int(effective.energy.argmax()), effective.energy.shape[1])
    assert float(dark.attrib["x"]) == pytest.approx(float(background.attrib["x"]) + side * column, abs=0.2)
    assert float(dark.attrib["y"]) == pytest.approx(float(background.attrib["y"]) + side * row, abs=0.2)


def test_everything_is_inside_the_picture(drawn: ElementTree.Element) -> None:
    wide, high = (float(drawn.attrib[key]) for key in ("width", "height"))
    for one in drawn.iter(f"{SVG}rect"):
        x, y = (float(one.attrib.get(key, 0)) for key in ("x", "y"))
        assert x >= 0
        assert y >= 0
        assert x + float(one.attrib["width"]) <= wide
        assert y + float(one.attrib["height"]) <= high
    for one in drawn.iter(f"{SVG}text"):
        assert 0 <= float(one.attrib["x"]) < wide
        assert 0 <= float(one.attrib["y"]) < high


def test_the_command_writes_it(archspec: Command, folder: Path) -> None:
    ran = archspec("compare", "resnet-50", "gpt2", "--reduced", "--svg", "both.svg", "--seed", "3")
    assert ran.status == 0
    assert ran.out.endswith("wrote both.svg\n")
    text = (folder / "both.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag == f"{SVG}svg"
    assert not re.search(r"nan|inf(?!e)", text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--svg", "both.png"), "'both.png' does not end in .svg"),
        (("--svg", "both.svg", "--proved"), "give `--svg` or `--proved`, not both"),
    ],
)
def test_what_is_refused(archspec: Command, options: tuple[str, ...], said: str) -> None:
    ran = archspec("compare", "resnet-50", "gpt2", "--reduced", *options)
    assert ran.status == 2
    assert said in ran.err
