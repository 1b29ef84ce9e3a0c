from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archspec import weights
from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from archspec.weights.choose import choose
from tests.weights.tables import codes, layout_of, only, same, tensors_of

OURS = {"a": (2,), "b": (3,)}
FIRST, SECOND = layout_of("map: {a: x, b: y}", "first"), layout_of("map: {a: x, b: z}", "second")


@pytest.fixture(scope="module")
def gpt2() -> Spec:
    return load("gpt2", reduced=True)


def test_the_one_under_which_every_name_matches() -> None:
    (one, other) = choose([FIRST, SECOND], OURS, {"x": (2,), "z": (3,)}).steps
    assert (one.theirs, other.theirs) == ((("x",),), (("z",),))


def test_our_own_names_need_none() -> None:
    assert [step.theirs for step in choose([FIRST], OURS, {"b": (3,), "a": (2,)}).steps] == [(("a",),), (("b",),)]


def test_none_matches_and_the_nearest_come_first() -> None:
    with pytest.raises(SpecError) as raised:
        choose([layout_of("map: {a: p, b: q}", "far"), SECOND], OURS, {"x": (2,), "y": (3,)})
    assert only(raised.value).notes == (
        "layout `second`: 2 names do not match; `z` missing in the weights",
        "layout `far`: 4 names do not match; `p` missing in the weights",
        "own names: 4 names do not match; `a` missing",
    )


@pytest.mark.parametrize(
    ("spec", "file", "help"),
    [
        ((0, 1), (0, 1, 2), "the spec has fewer layers"),
        ((0, 1, 2), (0, 1), "the file is incomplete, or the spec has more layers"),
    ],
)
def test_another_number_of_layers_is_told_as_such(spec: tuple[int, ...], file: tuple[int, ...], help: str) -> None:
    layout = layout_of("map: {layers.*: h.*}", "theirs")
    with pytest.raises(SpecError) as raised:
        choose([layout], {f"layers.{n}.w": (2,) for n in spec}, {f"h.{n}.w": (2,) for n in file})
    found = only(raised.value)
    assert found.message == "layout `theirs` fits these weights but for 1 name"
    assert len(found.notes) == 1 and "h.2.w" in found.notes[0]
    assert found.help is not None and found.help.startswith(help)


def test_several_match() -> None:
    with pytest.raises(SpecError) as raised:
        choose([FIRST, layout_of("map: {a: x, b: y}", "again")], OURS, {"x": (2,), "y": (3,)})
    assert only(raised.value).message == "several layouts match these weights: `first`, `again`"


def test_an_unknown_layout(gpt2: Spec) -> None:
    with pytest.raises(SpecError) as raised:
        weights.load(gpt2, {}, "hugingface")
    assert only(raised.value).help == "did you mean `huggingface`?"


def test_weights_of_the_module_itself(gpt2: Spec, tmp_path: Path) -> None:
    own = tensors_of(weights.parameter_shapes(gpt2.graph))
    assert same(weights.load(gpt2, own), own)
    weights.write_weights(tmp_path / "own.safetensors", own)
    assert same(weights.load(gpt2, tmp_path / "own.safetensors"), own)
    with pytest.raises(SpecError) as raised:
        weights.load(gpt2, {**own, "source.table": torch.zeros(3, 3)})
    assert codes(raised.value) == ["E517"]


def test_quantised_weights_are_not_taken_for_floats(gpt2: Spec) -> None:
    own = tensors_of(weights.parameter_shapes(gpt2.graph))
    assert weights.load(gpt2, {name: x.half() for name, x in own.items()})["source.table"].dtype == torch.float16
    with pytest.raises(SpecError) as raised:
        weights.load(gpt2, {**own, "source.table": own["source.table"].to(torch.int8)})
    assert only(raised.value).message == "int8 weights for `source.table`, expected floats"


def test_the_published_layout_there_and_back(gpt2: Spec) -> None:
    layout, _ = weights.layouts(gpt2)
    shapes = weights.parameter_shapes(gpt2.graph)
    own = tensors_of(shapes)
    published = weights.export_weights(shapes, layout, own)
    assert published["transformer.h.0.attn.c_attn.weight"].shape == (32, 96)
    buffers = {"transformer.h.1.attn.masked_bias": torch.zeros(()), "lm_head.weight": own["source.table"]}
    assert same(weights.load(gpt2, {**published, **buffers}), own)


def test_a_layout_in_a_file_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("map: {source: tok, states: body}\n")
    (tmp_path / "mine.yaml").write_text("archspec: 1\nextends: gpt2\nname: mine\nweights: {flat: map.yaml}\n")
    spec = load(tmp_path / "mine.yaml", reduced=True)
    own = tensors_of(weights.parameter_shapes(spec.graph))
    renamed = {name.replace("source.", "tok.").replace("states.", "body."): x for name, x in own.items()}
    assert [layout.name for layout in weights.layouts(spec)] == ["huggingface", "gguf", "flat"]
    assert same(weights.load(spec, renamed), own)


def test_an_inherited_layout_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("archspec: 1\nextends: gpt2\nname: mine\nweights: {huggingface: none}\n")
    assert [layout.name for layout in weights.layouts(load(tmp_path / "mine.yaml", reduced=True))] == ["gguf"]
