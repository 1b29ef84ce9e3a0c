"""A folder with code of its own is opened by transformers, computes what the module computes, and is saved whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.checking.checks import accepted
from archspec.interop.huggingface.remote_code import export_code
from archspec.layouts.parameters import parameter_shapes
from archspec.lower import compile, emit
from archspec.lower.modules import class_in
from archspec.model.checked import Checked
from archspec.model.ports import interface_of
from archspec.model.samples import sample
from archspec.model.sizes import typical
from archspec.quantising.activations import grids_of, read_grids
from archspec.quantising.plan import plan_of, read_wishes
from archspec.quantising.spec import quantised
from archspec.quantising.tensors import stored_tensors
from tests.parity.models import filled

transformers = pytest.importorskip("transformers")

SPECS = ("bert-base", "resnet-50", "llama-3.2-1b", "clip-vit-b32", "gated-attention", "dit-xl-2")
"""Several outputs, buffers of statistics, a cache, an attention that transformers lacks, and an input without axes."""

AWKWARD = """
archspec: 1
name: 2-class.head
dims: {batch: [1, 2, 4], length: [1, 3, 5]}
inputs:
  x: float[batch, length, 8]
graph:
  weight_gate: {block: linear, input: x, dim: 4}
outputs:
  values: {from: weight_gate, type: "float[batch, length, 4]"}
"""


@pytest.fixture(autouse=True, scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The code that transformers copies goes into a folder of this test."""
    from transformers import dynamic_module_utils

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        yield


def opened(folder: Path) -> Any:
    """The model in a folder; every tensor in the file has found its place."""
    model, told = transformers.AutoModel.from_pretrained(folder, trust_remote_code=True, output_loading_info=True)
    assert not any(told.values()), told
    return model


def results(computed: object, names: Sequence[str]) -> dict[str, Tensor]:
    found = [computed] if isinstance(computed, Tensor) else list(cast("Sequence[Tensor]", computed))
    return dict(zip(names, found, strict=True))


def exported(checked: Checked, folder: Path) -> nn.Module:
    """The module of a spec with every tensor at random, exported to a new folder."""
    module = filled(compile(checked).eval(), 1)
    folder.mkdir()
    export_code(checked.spec, emit(checked), {key: one.detach() for key, one in module.state_dict().items()}, folder)
    return module


@pytest.mark.parametrize("name", SPECS)
def test_transformers_computes_what_the_module_computes(name: str, tmp_path: Path) -> None:
    checked = archspec.check(name, reduced=True).accept()
    first, second = tmp_path / "first", tmp_path / "second"
    module = exported(checked, first)
    declared = interface_of(checked.spec)
    inputs = {key: torch.from_numpy(one) for key, one in sample(declared, typical(declared.symbols), seed=0).items()}
    with torch.no_grad():
        wanted = results(module(**inputs), checked.spec.graph.output_names)
        model = opened(first)
        found = model(**inputs)
        model.save_pretrained(second)
        again = opened(second)(**inputs)
    assert list(found) == list(wanted)
    for key, one in wanted.items():
        # Tensors that lie elsewhere in memory may be summed in another order.
        torch.testing.assert_close(found[key], one, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(again[key], one, rtol=1e-6, atol=1e-6)
    assert {path.name for path in first.iterdir()} == {path.name for path in second.iterdir()}


@pytest.mark.parametrize("format", ["int8", "fp8"])
def test_integers_and_floats_of_eight_bits_with_rounded_activations_stay_as_they_are(
    format: str, tmp_path: Path
) -> None:
    spec = archspec.load("gpt2", reduced=True)
    plan = plan_of(spec.graph, read_wishes([format]))
    made = accepted(quantised(spec, plan, grids_of(spec.graph, read_grids([format]), plan)))
    text, shapes = emit(made), parameter_shapes(made.spec.graph)
    scales = {name: torch.tensor(0.05) for name in shapes if name.endswith("_input.scale")}
    floats = {**filled(compile(accepted(spec)), 3).state_dict(), **scales}
    stored = dict(stored_tensors(made.spec.graph, floats))
    # Two folders of one name would share their code in transformers.
    folder = tmp_path / format
    folder.mkdir()
    export_code(made.spec, text, stored, folder)
    network, model = class_in(text, made.spec.name)().eval(), opened(folder)
    network.load_state_dict(stored)
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        assert torch.equal(model(ids)["logits"], network(ids))
        # They are no floats that were rounded on the way.
        assert all(torch.equal(one, stored[name]) for name, one in model.network.state_dict().items())


def test_names_that_transformers_or_python_takes_are_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(AWKWARD)
    module = exported(archspec.check(tmp_path / "spec.yaml").accept(), tmp_path / "2-class.head")
    assert json.loads((tmp_path / "2-class.head" / "config.json").read_text()) == {
        "architectures": ["Model2ClassHeadModel"],
        "auto_map": {
            "AutoConfig": "configuration_x_2_class_head.Model2ClassHeadConfig",
            "AutoModel": "modeling_x_2_class_head.Model2ClassHeadModel",
        },
        "dtype": "float32",
        "model_type": "archspec_x_2_class_head",
    }
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    found = opened(tmp_path / "2-class.head")(x)
    assert torch.equal(found.values_, module(x))
    # What has no weights yet starts as the module does: nothing is left as the memory was.
    model = opened(tmp_path / "2-class.head")
    fresh = type(model)(model.config)
    assert 0 < fresh.network.weight_gate.weight.abs().max() < 1


def test_weights_in_another_format_are_computed_with_in_float32(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(AWKWARD)
    checked = archspec.check(tmp_path / "spec.yaml").accept()
    module = filled(compile(checked).eval(), 1).bfloat16()
    (tmp_path / "out").mkdir()
    export_code(checked.spec, emit(checked), module.state_dict(), tmp_path / "out")
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(opened(tmp_path / "out")(x).values_, module.float()(x))
