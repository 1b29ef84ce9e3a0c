"""The weights of a quantised bundle where floats are expected: the message says what takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import archspec
from archspec.diagnostics import SpecError
from archspec.weights import load
from archspec.weights.bundled import PLAN

SPEC = """
archspec: 1
name: two
dims: {batch: [1, 2, 4]}
inputs: {x: "float[batch, 8]"}
graph: {y: {block: linear, input: x, dim: 8}, z: {block: linear, input: y, dim: 8, bias: false}}
outputs: {z: "float[batch, 8]"}
"""
OWN = {"y.weight": torch.ones(8, 8), "y.bias": torch.ones(8), "z.weight": torch.ones(8, 8)}
SCALES = {"y.weight_scale": torch.ones(8, 1), "z_input.scale": torch.ones(()), "y_kept.scale": torch.ones(8)}
HEAD = "these are the weights of a quantised bundle"


def refused(folder: Path, weights: Path | Mapping[str, Tensor]) -> list[str]:
    (folder / "two.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        load(archspec.load(folder / "two.yaml"), weights)
    (one,) = raised.value.diagnostics
    assert one.code == "E521"
    return [one.message, *one.notes, one.help or ""]


def test_the_plan_beside_them_is_named(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    stored = OWN | SCALES | {"y.weight": torch.ones(8, 8, dtype=torch.int8)}
    save_file(stored, bundle / "model.safetensors")
    note, general = "scales lie beside them: `y.weight_scale` and 2 more", "`--quantise` and the quantised.json of"
    message, told, help = refused(tmp_path, bundle / "model.safetensors")
    assert (message, told) == (HEAD, note) and general in help
    (bundle / PLAN).write_text("{}", encoding="utf-8")
    for given in (bundle, bundle / "model.safetensors"):
        help = f"build with `--quantise {bundle / PLAN}`, or give the bundle `{bundle}` in place of the spec"
        assert refused(tmp_path, given) == [HEAD, note, help]
    # Tensors by name lie in no folder.
    message, _, help = refused(tmp_path, stored)
    assert message == HEAD and general in help


@pytest.mark.parametrize("name", ["y_kept.scale", "z_input.scale", "y.input.scale", "y_input_2.scale"])
def test_floats_with_scales_of_values_are_those_of_a_bundle_too(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, OWN | {name: torch.ones(())})[0] == HEAD


@pytest.mark.parametrize("name", ["norm.scale", "y.bias_scales", "w_scale", "y_input.bias"])
def test_other_names_are_those_of_another_model(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, OWN | SCALES | {name: torch.ones(8)})[0] == "no layout matches these weights"
    lacking = {key: one for key, one in (OWN | SCALES).items() if key != "y.bias"}
    assert refused(tmp_path, lacking)[0] == "no layout matches these weights"


def test_fp8_with_scales_alone_is_read_as_floats(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(SPEC, encoding="utf-8")
    eight = {"y.weight": torch.ones(8, 8).to(torch.float8_e4m3fn), "y.weight_scale": torch.full((8, 1), 0.5)}
    assert torch.equal(load(archspec.load(tmp_path / "two.yaml"), OWN | eight)["y.weight"], torch.full((8, 8), 0.5))
