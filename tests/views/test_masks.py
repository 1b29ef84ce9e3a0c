"""Pictures of masks: their cells are the mask, and what was changed to make it visible is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.masks.evaluate import evaluate
from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from archspec.views.cut_positions import sequence
from archspec.views.example import example
from archspec.views.mask_picture import OPEN, drawn_mask, mask_chart
from archspec.views.sites import sites, sites_at
from tests.editing import edited
from tests.views.charts import cells_of

GOLDEN = Path(__file__).parent / "golden"
SHIPPED = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))
QUERY, KEY = np.arange(12)[:, None], np.arange(12)
SEGMENTS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
ALL = "available attention: `memory.layers.*.attention`, `states.layers.*.attention`, `states.layers.*.cross_attention`"
SAME = SEGMENTS[:, None] == SEGMENTS


def drawn(name: str, path: str) -> list[np.ndarray]:
    return [np.array(panel.cells) == OPEN for panel in mask_chart(load(name), path).panels]


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("mixtral-8x7b", "states", [KEY <= QUERY]),
        ("gemma-2-2b", "states.local", [(KEY <= QUERY) & (KEY > QUERY - 3)]),
        ("gemma-2-2b", "states.layers.3", [KEY <= QUERY]),
        ("prefix-lm-base", "states", [(KEY <= QUERY) | (KEY < 4)]),
        ("modernbert-base", "states", [SAME, SAME & (abs(QUERY - KEY) <= 2)]),
        ("bert-base", "states.layers.3.attention", [np.broadcast_to(KEY < 9, (12, 12))]),
        ("transformer-base", "states.layers.3.cross_attention", [np.broadcast_to(KEY < 9, (13, 12))]),
        ("vit-b16", "states", [np.ones((16, 16), dtype=bool)]),
    ],
)
def test_cells_are_the_mask(name: str, path: str, expected: list[np.ndarray]) -> None:
    found = drawn(name, path)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one == other).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_mask_is_drawn_as_the_oracle_has_it(name: str) -> None:
    spec = load(name)
    shown = example(spec)
    # Windows that are cut out of a grid are drawn over the grid: tests/rules/test_cut_windows.py.
    for site in (one for one in sites(spec) if sequence(one) is None):
        found = drawn_mask(site, shown)
        values = site.node.inputs[site.op.first :]
        arrays = [
            np.asarray(row[0] if value.type.rank == 1 else row) for value in values if (row := shown.values(value))
        ]
        sides = [size.value(shown.sizes) for size in (x.type.shape[2] for x in site.node.inputs[:2])]
        lengths = [max(pair) for pair in zip(sides, (found.queries, found.keys), strict=True)]
        wanted = evaluate(found.mask, *lengths, arrays, shown.sizes)
        assert (np.array(found.cells) == wanted[: found.queries, : found.keys]).all()


def test_padding_is_drawn_where_the_input_promises_it(tmp_path: Path) -> None:
    text = (shipped_specs_dir() / "bert-base.yaml").read_text(encoding="utf-8")
    for promise, valid in (("left", KEY >= 3), ("right", KEY < 9)):
        (tmp_path / "spec.yaml").write_text(edited(text, ("padding: right", f"padding: {promise}")), encoding="utf-8")
        (found,) = drawn(str(tmp_path / "spec.yaml"), "states")
        assert (found == valid).all()


def test_the_svg_has_the_cells_of_the_text() -> None:
    chart = mask_chart(load("modernbert-base"), "states")
    colours = {level.color: number for number, level in enumerate(chart.levels)}
    for panel, found in zip(chart.panels, cells_of(chart.svg()), strict=True):
        assert [[colours[cell] for cell in row] for row in found] == [list(row) for row in panel.cells]


def test_a_path_names_layers_and_kinds() -> None:
    spec = load("gemma-2-2b")
    for path, kinds in {
        "states": ["local", "global"],
        "local": ["local"],
        "states.global": ["global"],
        "states.layers.3": ["global"],
        "states.layers.2.attention.weights": ["local"],
        "states.attention": ["local", "global"],
    }.items():
        assert [site.kind for site in sites_at(spec, path)] == kinds


@pytest.mark.parametrize(
    ("path", "help"),
    [
        ("states.layers.9.attention", "did you mean `states.layers.5.attention`?"),
        ("stats", "did you mean `states`?"),
        ("zzz", ALL),
    ],
)
def test_what_does_not_attend_is_refused(path: str, help: str) -> None:
    with pytest.raises(SpecError) as raised:
        mask_chart(load("transformer-base"), path)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message, found.help) == ("E751", f"`{path}` is not an attention", help)


def test_the_terminal(update_golden: bool) -> None:
    text = mask_chart(load("modernbert-base"), "states").text() + "\n"
    golden = GOLDEN / "masks.txt"
    if update_golden:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
