"""Pictures of relations: wired cells are those of brute force, and the bound is told in the words of masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.model.exposing import exposed
from archspec.relation.evaluate import matrix
from archspec.rules.flow import Dependence
from archspec.spec import Spec, load
from archspec.views.example import example
from archspec.views.formula import formula
from archspec.views.relation_picture import IMPOSSIBLE, POSSIBLE, WIRED, relation_chart
from tests.rules.brute import Brute
from tests.views.charts import cells_of

GOLDEN = Path(__file__).parent / "golden"


def by_brute_force(spec: Spec, source: str, output: str) -> np.ndarray:
    """Which positions of an output read which of an input, in the first row, any feature of both."""
    shown = example(spec)
    arrays = {
        value.name: np.array(shown.world.inputs[value.name].items).reshape(
            [size.value(shown.sizes) for size in value.type.shape]
        )
        for value in spec.graph.inputs
        if value.name in shown.world.inputs
    }
    arrays = {name: a.astype(bool) if spec.inputs[name].type.dtype == "bool" else a for name, a in arrays.items()}
    brute = Brute(spec.graph, arrays, shown.sizes)
    state = brute.states[list(spec.outputs).index(output)]
    out, inp = spec.outputs[output], next(value for value in spec.graph.inputs if value.name == source)
    spaces = [tuple(size.value(shown.sizes) for size in value.type.space) for value in (out, inp)]
    matrix = state.reads.get(source, np.zeros([int(np.prod(space)) for space in spaces], dtype=bool))
    matrix = matrix.reshape(*spaces[0], *spaces[1])
    # Sequences: batch, positions and, of a state, features; what is pooled has no positions.
    kept = [[1] if out.type.rank == 3 else [], [len(spaces[0]) + 1]]
    rest = tuple(k for k in range(matrix.ndim) if k not in (*kept[0], *kept[1]))
    found = matrix.any(axis=rest)
    return found.reshape(int(np.prod([matrix.shape[k] for k in kept[0]])), -1)


@pytest.mark.parametrize(
    ("name", "source", "output"),
    [
        ("transformer-base", "tgt_ids", "logits"),
        ("transformer-base", "src_ids", "logits"),
        ("prefix-lm-base", "ids", "logits"),
        ("modernbert-base", "ids", "states"),
        ("bert-base", "ids", "pooled"),
        ("minilm-l6", "ids", "embedding"),
        ("llama-3-8b", "ids", "logits"),
    ],
)
def test_cells_are_those_of_brute_force(name: str, source: str, output: str) -> None:
    spec = load(name, reduced=True)
    (panel,) = relation_chart(spec, source, output).panels
    cells = np.array(panel.cells)
    assert ((cells == WIRED) == by_brute_force(spec, source, output)).all()
    assert (cells != POSSIBLE).all()


def test_positions_of_images_are_a_picture_of_their_own() -> None:
    spec = load("resnet-50", reduced=True)
    (panel,) = relation_chart(spec, "pixels", "stage1").panels
    wired = np.array(panel.cells) == WIRED
    # A position of stage 1 sees 13 pixels around it: twice 1 at stride 4, 1 at stride 2 for the pool, 3 for the stem.
    reach = [[int(k) * 3 for k in np.flatnonzero(wired.any(axis))] for axis in (1, 0)]
    middle = 4 * 8
    for rows in reach:
        assert rows[0] <= middle - 13 < rows[0] + 3
        assert rows[-1] <= middle + 13 < rows[-1] + 3
    assert panel.notes[0] == "stage1 at i1 = 8 (axis 2), i2 = 8 (axis 3)"


def test_what_the_bound_allows_and_nothing_wires(tmp_path: Path) -> None:
    """Every other position, piece by piece: more pieces than the prover keeps apart."""
    pieces = range(20)
    nodes = [f"  p{k}: {{block: slice, input: x, axis: 1, start: {2 * k}, stop: {2 * k + 1}}}" for k in pieces]
    joined = f"  y: {{block: concat, inputs: [{', '.join(f'p{k}' for k in pieces)}], axis: 1}}"
    head = "archspec: 1\nname: pieces\ndims: {batch: [1, 2, 4]}\ninputs:\n  x: float[batch, 40, 3]\ngraph:"
    tail = "outputs:\n  y: float[batch, 20, 3]\n"
    (tmp_path / "pieces.yaml").write_text("\n".join([head, *nodes, joined, tail]), encoding="utf-8")
    spec = load(tmp_path / "pieces.yaml")
    (panel,) = relation_chart(spec, "x", "y").panels
    assert panel.notes == ("one cell is 2 positions of x",)
    cells = np.array(panel.cells)
    assert ((cells == WIRED) == np.eye(20, dtype=bool)).all()
    assert (cells == POSSIBLE).any()
    bound = Dependence(spec.graph).relation(spec.outputs["y"], spec.values["x"])
    allowed = matrix(bound, (1, 20, 3), (1, 40, 3), {}, {"batch": 1})[0, :, 0, 0, :, 0]
    assert ((cells != IMPOSSIBLE) == allowed.reshape(20, 20, 2).any(-1)).all()


@pytest.mark.parametrize(
    ("name", "source", "output", "words"),
    [
        ("transformer-base", "tgt_ids", "logits", "causal"),
        ("transformer-base", "src_ids", "logits", "key_valid(src_valid)"),
        ("transformer-base", "src_valid", "logits", "all"),
        ("prefix-lm-base", "ids", "logits", "causal | prefix(given)"),
        ("modernbert-base", "ids", "states", "same_segment(text)"),
        ("mistral-7b", "ids", "states_layers_1", "last(8191)"),
        ("resnet-50", "pixels", "logits", "all"),
        ("resnet-50", "pixels", "stage1", "-17 <= 4*i1 - j1 <= 17 & -17 <= 4*i2 - j2 <= 17"),
    ],
)
def test_the_bound_in_words(name: str, source: str, output: str, words: str) -> None:
    spec = exposed(load(name), ["states.layers.1"] if output == "states_layers_1" else [])
    value = {**spec.values, **spec.outputs}[output]
    inp = spec.values[source]
    assert formula(Dependence(spec.graph).relation(value, inp), value, inp) == words


def test_the_svg_has_the_cells_of_the_text() -> None:
    chart = relation_chart(load("prefix-lm-base"), "ids", "logits")
    colours = {level.color: number for number, level in enumerate(chart.levels)}
    (found,) = cells_of(chart.svg())
    assert [[colours[cell] for cell in row] for row in found] == [list(row) for row in chart.panels[0].cells]


def test_an_unknown_value_is_refused() -> None:
    with pytest.raises(SpecError) as raised:
        relation_chart(load("transformer-base"), "src_id", "logits")
    assert raised.value.diagnostics[0].help == "did you mean `src_ids`?"


VOLUME = """\
archspec: 1
name: volume
dims: {batch: [1, 2, 4]}
inputs:
  x: float[batch, 2, 16, 16, 16]
graph:
  y: tanh(x)
outputs:
  y: float[batch, 2, 16, 16, 16]
"""


def test_too_many_positions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "volume.yaml").write_text(VOLUME, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        relation_chart(load(tmp_path / "volume.yaml"), "x", "y")
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E752", "4096 positions of `x` are too many to draw")


def test_the_terminal(update_golden: bool) -> None:
    text = relation_chart(load("transformer-base"), "src_ids", "logits").text() + "\n"
    golden = GOLDEN / "relation.txt"
    if update_golden:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
