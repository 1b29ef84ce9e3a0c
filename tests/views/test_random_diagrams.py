"""The picture of any spec is drawn: random graphs never crash it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from archspec.spec import load
from archspec.views.diagram.draw import diagram
from tests.views.random_specs import random_spec


def drawn(text: str, folder: Path) -> str:
    path = folder / "drawn.yaml"
    path.write_text(text, encoding="utf-8")
    picture = diagram(load(path))
    ElementTree.fromstring(picture)
    return picture


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_are_drawn(seed: int, tmp_path: Path) -> None:
    picture = drawn(random_spec(seed), tmp_path)
    places = [float(x.get("x", 0)) for x in ElementTree.fromstring(picture).iter() if x.tag.endswith("rect")]
    assert all(abs(place) < 1e6 for place in places)
