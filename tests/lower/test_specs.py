"""From a spec to a module: what `archspec.compile` gives."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from ruff.__main__ import find_ruff_bin
from torch import nn

import archspec
from archspec.analyses.parameters import expand
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.lower import emit, module_class
from archspec.model.exposing import exposed
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir
from tests.editing import edited
from tests.lower.running import filled, inputs_of, outputs_of

SPECS = Path(__file__).parent / "specs"
SHIPPED = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))
OWN = ["pattern", "two_towers"]


def hold(spec: Spec, module: nn.Module, changed: Mapping[str, torch.Tensor] | None = None) -> None:
    """The module in float64 gives what the interpreter gives, at the typical sizes and at others."""
    module = filled(module).double().eval()
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    assert set(state) == set(expand(spec.graph))
    for shift in (0, 1):
        sizes = {name: min(dim.typical + shift * dim.multiple, dim.max) for name, dim in spec.dims.items()}
        inputs = {**inputs_of(spec.graph, sizes, seed=shift), **(changed or {})}
        wanted = interpret(spec.graph, {name: tensor.numpy() for name, tensor in inputs.items()}, state, sizes)
        found = outputs_of(module, inputs, spec.graph.output_names)
        for name, array in wanted.items():
            np.testing.assert_allclose(found[name].numpy(), array, rtol=1e-8, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_specs_at_their_reduced_size(name: str) -> None:
    spec = load(name, reduced=True)
    hold(spec, archspec.compile(spec))


@pytest.mark.parametrize("name", OWN)
def test_patterns_reuse_repeat_and_sharing(name: str) -> None:
    spec = load(SPECS / f"{name}.yaml")
    hold(spec, archspec.compile(spec))


@pytest.mark.parametrize("name", OWN)
def test_ruff_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    file = tmp_path / "emitted.py"
    file.write_text(emit(accepted(load(SPECS / f"{name}.yaml"))))
    done = subprocess.run([find_ruff_bin(), "format", "--isolated", "--diff", file], capture_output=True, text=True)
    assert done.stdout == ""


def test_inputs_with_a_default_may_be_left_out() -> None:
    module = filled(archspec.compile(SPECS / "pattern.yaml")).eval()
    ids = torch.randint(0, 50, (2, 9))
    torch.testing.assert_close(module(ids), module(ids, torch.ones(2, 9, dtype=torch.bool)))
    assert not torch.equal(module(ids), module(ids, valid=torch.arange(9).expand(2, 9) > 3))


def test_exposed_values_are_outputs() -> None:
    paths = ["states.layers.1.attention.weights", "states.layers.0"]
    plain = load("gpt2", reduced=True)
    spec = exposed(plain, paths)
    module = archspec.compile(plain, expose=paths)
    hold(spec, module)
    ids = torch.randint(0, 10, (2, 6))
    result = module(ids)
    weights = result.states_layers_1_attention_weights
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert not weights.triu(1).any()


def test_the_class_of_a_spec_is_always_the_same_one() -> None:
    assert module_class(accepted("gpt2")) is module_class(accepted(load("gpt2")))
    with torch.device("meta"):
        assert all(parameter.is_meta for parameter in archspec.compile("gpt2").parameters())


def test_promises_spare_the_guard_of_empty_rows(tmp_path: Path) -> None:
    text = edited((SPECS / "pattern.yaml").read_text(), ("last(4)", "causal"))
    file = tmp_path / "spec.yaml"
    kept = {}
    for padding in ("any", "right", "left"):
        file.write_text(edited(text, ("padding: left", f"padding: {padding}")))
        kept[padding] = "keep" in emit(accepted(load(file)))
    assert kept == {"any": True, "right": False, "left": True}


def test_a_name_that_modules_use_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(
        "archspec: 1\nname: taken\ndims:\n  batch: [1, 2, 8]\ninputs:\n  x: float[batch, 4]\n"
        "graph:\n  train: {block: linear, input: x, dim: 4}\noutputs:\n  train: float[batch, 4]\n"
    )
    with pytest.raises(SpecError) as raised:
        emit(accepted(load(file)))
    (found,) = raised.value.diagnostics
    assert (found.code, found.primary.span.line) == ("E501", 8)
