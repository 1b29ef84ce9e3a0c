"""Attention weights: those of an interpreter that shares no code with the module, and a picture that shows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import archspec as package
from archspec.diagnostics import SpecError
from archspec.model.exposing import exposed
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec, load
from archspec.views.attention_weights import AttentionMap, attend
from archspec.views.heat_map import LEVELS, heat_map, level_of, shade
from tests.cli.conftest import Command, archspec, folder

__all__ = ["archspec", "folder"]
SVG = "{http://www.w3.org/2000/svg}"
NODE = "states.layers.1.cross_attention"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load("transformer-base", reduced=True)


@pytest.fixture(scope="module")
def tensors(spec: Spec) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    state = package.compile(spec).state_dict()
    return {name: torch.randn(tensor.shape, generator=draw) for name, tensor in state.items()}


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    r = np.random.default_rng(2)
    valid = np.arange(7) < np.array([[7], [4]])
    return {"src_ids": r.integers(1, 97, (2, 7)), "tgt_ids": r.integers(1, 97, (2, 5)), "src_valid": valid}


def expected(spec: Spec, node: str, tensors: dict[str, torch.Tensor], inputs: dict[str, np.ndarray]) -> np.ndarray:
    with_weights = exposed(load("transformer-base", reduced=True), [f"{node}.weights"])
    arrays = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    return interpret(with_weights.graph, inputs, arrays)[f"{node}.weights".replace(".", "_")]


@pytest.mark.parametrize("node", [NODE, "states.layers.0.attention", "memory.layers.1.attention"])
@pytest.mark.parametrize("row", [0, 1])
def test_weights_are_those_of_the_interpreter(
    node: str, row: int, spec: Spec, tensors: dict[str, torch.Tensor], inputs: dict[str, np.ndarray]
) -> None:
    found = attend(spec, tensors, inputs, node=node, row=row)
    wanted = expected(spec, node, tensors, inputs)[row]
    assert found.path == node
    assert np.abs(found.weights - wanted).max() < 1e-4
    assert wanted.max() > 0.5, "weights that are all alike would hide a mistake"


def test_the_last_cross_attention_is_taken_where_none_is_named(
    spec: Spec, tensors: dict[str, torch.Tensor], inputs: dict[str, np.ndarray]
) -> None:
    assert attend(spec, tensors, inputs).path == NODE
    for node in ("states", f"{NODE}.weights"):
        assert attend(spec, tensors, inputs, node=node).path == NODE
    assert attend(spec, tensors, inputs, node="states.layers.0").path == "states.layers.0.cross_attention"
    assert attend(spec, tensors, inputs, node="memory").path == "memory.layers.1.attention"


def test_ids_label_the_positions(spec: Spec, tensors: dict[str, torch.Tensor], inputs: dict[str, np.ndarray]) -> None:
    found = attend(spec, tensors, inputs, row=1)
    assert found.query_labels == tuple(map(str, inputs["tgt_ids"][1]))
    assert found.key_labels == tuple(map(str, inputs["src_ids"][1]))


def colours(document: str, name: str, rows: int, columns: int) -> list[list[str]]:
    """The colour of every cell of a heat map, white where nothing is drawn; its frame follows it in the document."""
    elements = list(ElementTree.fromstring(document))
    (place,) = (k for k, one in enumerate(elements) if one.get("data-panel") == name)
    keys = ("x", "y", "width", "height")
    frame = {key: float(elements[place + 1].attrib[key]) for key in keys}
    side, left, top = frame["width"] / columns, frame["x"], frame["y"]
    found = [["#ffffff"] * columns for _ in range(rows)]
    for one in elements[place]:
        x, y, wide, _ = (float(one.attrib[key]) for key in keys)
        row, start = round((y - top) / side), round((x - left) / side)
        for column in range(start, start + round(wide / side)):
            found[row][column] = one.attrib["fill"]
    return found


def test_cells_have_the_shades_of_the_weights(
    spec: Spec, tensors: dict[str, torch.Tensor], inputs: dict[str, np.ndarray]
) -> None:
    found = attend(spec, tensors, inputs, node="memory.layers.0.attention")
    wanted = expected(spec, found.path, tensors, inputs)[0]
    document = found.svg()
    panels = {"mean": wanted.mean(0)} | {f"head {head}": weights for head, weights in enumerate(wanted)}
    for name, weights in panels.items():
        levels = np.rint(weights / wanted.max() * (LEVELS - 1)).astype(int)
        sure = abs(weights / wanted.max() * (LEVELS - 1) % 1 - 0.5) > 1e-3
        drawn = colours(document, name, *weights.shape)
        for row, column in np.argwhere(sure):
            assert drawn[row][column] == shade(levels[row, column]), (name, row, column)


def test_shades_grow_darker() -> None:
    light = [sum(int(shade(level)[k : k + 2], 16) for k in (1, 3, 5)) for level in range(LEVELS)]
    assert light == sorted(light, reverse=True)
    assert len(set(light)) > LEVELS // 2
    assert (shade(0), level_of(0.3, 0.3), level_of(0.0, 0.0)) == ("#ffffff", LEVELS - 1, 0)


def test_hostile_labels_are_text() -> None:
    words = ("<script>alert(1)</script>", "&amp;", "]]>", "\x00\x1b[31m", '"', "日本語", "a" * 500)
    weights = np.eye(7)[None]
    document = heat_map(AttentionMap(name="<b>", path="a & b", weights=weights, query_labels=words, key_labels=words))
    root = ElementTree.fromstring(document)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {"svg", "title", "rect", "text", "g"}
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"&amp;", "]]>", "\ufffd\ufffd[31m", '"'} <= set(texts)
    assert any(text is not None and text.startswith("<script>al") for text in texts)
    assert "a" * 500 not in texts


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(SpecError) as raised:
        call()
    found = raised.value.diagnostics[0]
    return found.code, found.message


def test_refusals(spec: Spec, tensors: dict[str, torch.Tensor], inputs: dict[str, np.ndarray]) -> None:
    assert refusal(lambda: attend(spec, tensors, inputs, node="logits")) == ("E751", "`logits` is not an attention")
    assert refusal(lambda: attend("resnet-50", {}, {})) == ("E751", "`resnet-50` is not an attention")
    gated = load("gated-attention", reduced=True)
    message = "the weights of `states.1` cannot be drawn"
    assert refusal(lambda: attend(gated, {}, {})) == ("E751", message)
    less = {name: array for name, array in inputs.items() if name != "tgt_ids"}
    assert refusal(lambda: attend(spec, tensors, less)) == ("E712", "the input `tgt_ids` is missing")
    assert refusal(lambda: attend(spec, tensors, inputs, row=2))[0] == "E716"
    assert refusal(lambda: attend(spec, None, inputs)) == ("E523", "no weights were given")
    labels = ["a", "b"]
    assert refusal(lambda: attend(spec, tensors, inputs, key_labels=labels)) == ("E753", "2 labels for 7 keys")


def test_too_many_positions_are_refused(tensors: dict[str, torch.Tensor]) -> None:
    spec = load("transformer-base", reduced=True, set={"dims.src": "[1, 7, 400]"})
    ones = {"src_ids": np.ones((1, 200), int), "tgt_ids": np.ones((1, 5), int), "src_valid": np.ones((1, 200), bool)}
    message = f"`{NODE}` has 5 queries and 200 keys here, and at most 128 of each are drawn"
    assert refusal(lambda: attend(spec, tensors, ones)) == ("E752", message)


def test_the_command(
    archspec: Command, folder: Path, tensors: dict[str, torch.Tensor], inputs: dict[str, np.ndarray]
) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "w.safetensors")
    np.savez(folder / "in.npz", **inputs)
    (folder / "words.txt").write_text("eins\nzwei\ndrei\nvier\nfünf\nsechs\nsieben\n", encoding="utf-8")
    common = ["attend", "transformer-base", "--reduced", "--weights", "w.safetensors", "--inputs", "in.npz"]
    ran = archspec(*common, "-o", "map.svg", "--key-labels", "words.txt", "--row", "1")
    assert (ran.status, ran.out) == (0, f"wrote map.svg: {NODE}, 4 heads, 5 queries, 7 keys\n")
    document = (folder / "map.svg").read_text(encoding="utf-8")
    assert re.findall(r">(eins|fünf|sieben)<", document) == ["eins", "fünf", "sieben"]
    data = archspec(*common, "-o", "map.svg", "--node", "memory", "--labels", "words.txt", "--json").data
    assert data == {
        "node": "memory.layers.1.attention",
        "heads": 4,
        "queries": 7,
        "keys": 7,
        "unproved": [],
        "written": "map.svg",
    }
    missing = archspec(*common, "-o", "map.svg", "--labels", "none.txt")
    assert (missing.status, missing.err.splitlines()[0]) == (
        1,
        "error[E753]: cannot read none.txt: no such file or directory",
    )
