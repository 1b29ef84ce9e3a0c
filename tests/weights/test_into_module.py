"""`archspec.load_weights`: a published checkpoint in a module in memory, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.diagnostics import SpecError
from archspec.weights.files import write_weights
from tests.weights.tables import only
from tests.weights.test_published import reference, spec_of, state_of

VIOLATED = """
archspec: 1
name: violated
dims: {batch: [1, 2, 4], length: [1, 4, 8]}
inputs: {x: "float[batch, length, 8]"}
graph:
  y: {block: attend, query: x, key: x, value: x, heads: 2, mask: all}
outputs: {y: "float[batch, length, 8]"}
rules: [{causal: {output: y, input: x}}]
"""
TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


def fresh(name: str = "gpt2", seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return archspec.compile(spec_of(name)).eval()


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def unchanged(module: nn.Module, before: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_the_module_computes_what_transformers_does(tmp_path: Path) -> None:
    model = reference("gpt2")
    model.save_pretrained(tmp_path)
    module = fresh()
    report = archspec.load_weights(module, spec_of("gpt2"), tmp_path)
    torch.testing.assert_close(module(TOKENS), model(TOKENS).logits, atol=1e-5, rtol=1e-5)
    assert (report.layout, report.tensors, report.tied, report.skipped) == ("huggingface", 36, (), ())
    again = archspec.load_weights(fresh(), spec_of("gpt2"), state_of("gpt2"), layout="huggingface")
    assert again.tied == ("lm_head.weight",)


def test_a_tied_head_stays_one_with_its_table() -> None:
    module = fresh()
    archspec.load_weights(module, spec_of("gpt2"), state_of("gpt2"))
    before = module(TOKENS)
    with torch.no_grad():
        dict(module.named_parameters())["source.table"][3] += 1
    assert bool((module(TOKENS)[..., 3] != before[..., 3]).all())


def test_a_module_keeps_its_dtypes_and_its_wrapper() -> None:
    wanted = snapshot(_loaded(fresh()))
    module = torch.compile(fresh().to(torch.bfloat16))
    archspec.load_weights(module, spec_of("gpt2"), state_of("gpt2"))
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, wanted[name.removeprefix("_orig_mod.")].to(torch.bfloat16))


def _loaded(module: nn.Module) -> nn.Module:
    archspec.load_weights(module, spec_of("gpt2"), state_of("gpt2"))
    return module


def test_what_half_precision_cannot_hold_changes_nothing() -> None:
    module, state = fresh().half(), state_of("gpt2")
    before = snapshot(module)
    state["transformer.h.1.mlp.c_fc.bias"][4] = 70_000.0
    with pytest.raises(SpecError) as raised:
        archspec.load_weights(module, spec_of("gpt2"), state)
    found = only(raised.value)
    name = "states.layers.1.feed_forward.up.bias"
    assert (found.code, found.message) == ("E527", f"`{name}` [24] contains 70000 at [4], too large for float16")
    assert unchanged(module, before)
    archspec.load_weights(fresh().bfloat16(), spec_of("gpt2"), state)


def test_a_checkpoint_that_does_not_fit_changes_nothing() -> None:
    module, state = fresh(), state_of("gpt2")
    before = snapshot(module)
    state["transformer.ln_f.bias"][0] = float("nan")
    with pytest.raises(SpecError):
        archspec.load_weights(module, spec_of("gpt2"), state)
    assert unchanged(module, before)


def test_the_module_of_another_spec_is_refused() -> None:
    module = fresh("smollm2-135m")
    before = snapshot(module)
    with pytest.raises(SpecError) as raised:
        archspec.load_weights(module, spec_of("gpt2"), state_of("gpt2"))
    found = only(raised.value)
    assert (found.code, found.message) == ("E607", "the module does not belong to this spec")
    assert found.notes[0] == "`source.positions` and 17 more missing in the module"
    assert unchanged(module, before)


def test_a_module_without_memory_gets_it() -> None:
    """Its parameters have its own dtype, share nothing with what was given, and are laid out as fresh ones."""
    with torch.device("meta"):
        module, half = fresh(), fresh().bfloat16()
    state, wanted = state_of("gpt2"), fresh()
    archspec.load_weights(module, spec_of("gpt2"), state)
    archspec.load_weights(half, spec_of("gpt2"), state)
    archspec.load_weights(wanted, spec_of("gpt2"), state)
    assert unchanged(module, snapshot(wanted))
    assert unchanged(half, snapshot(wanted.bfloat16()))
    assert all(one.requires_grad and one.is_contiguous() for one in module.parameters())
    given = {tensor.untyped_storage().data_ptr() for tensor in state.values()}
    assert given.isdisjoint(one.untyped_storage().data_ptr() for one in module.parameters())
    torch.testing.assert_close(module(TOKENS), reference("gpt2")(TOKENS).logits, atol=1e-5, rtol=1e-5)


def test_no_parameter_of_a_module_lies_in_the_file(tmp_path: Path) -> None:
    """What is read from a safetensors file is a view of the mapped file, which may be overwritten."""
    with torch.device("meta"):
        module = fresh()
    write_weights(tmp_path / "model.safetensors", state_of("gpt2"))
    archspec.load_weights(module, spec_of("gpt2"), tmp_path / "model.safetensors")
    before = snapshot(module)
    file = tmp_path / "model.safetensors"
    with file.open("r+b") as opened:
        opened.write(b"\xff" * file.stat().st_size)
    assert unchanged(module, before)


def test_without_memory_an_error_leaves_it_so() -> None:
    with torch.device("meta"):
        module = fresh()
    state = state_of("gpt2")
    state["transformer.ln_f.bias"][0] = float("nan")
    with pytest.raises(SpecError):
        archspec.load_weights(module, spec_of("gpt2"), state)
    assert all(one.is_meta for one in module.parameters())


def test_a_module_with_memory_for_some_is_refused() -> None:
    module = fresh()
    module.source.to("meta")
    with pytest.raises(SpecError) as raised:
        archspec.load_weights(module, spec_of("gpt2"), state_of("gpt2"))
    assert only(raised.value).help == 'allocate it first: module.to_empty(device="cpu")'


def test_weights_of_a_violated_spec_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "violated.yaml").write_text(VIOLATED)
    spec = archspec.load(tmp_path / "violated.yaml")
    wanted = archspec.check(spec)
    assert not wanted.holds
    with pytest.raises(SpecError) as raised:
        archspec.load_weights(nn.Linear(1, 1), spec, {})
    assert raised.value.diagnostics == wanted.diagnostics


def test_tensors_may_be_arrays_and_nothing_else() -> None:
    spec, module = spec_of("gpt2"), fresh(seed=1)
    arrays = {name: tensor.numpy() for name, tensor in fresh().state_dict().items()}
    archspec.load_weights(module, spec, arrays)
    assert unchanged(module, fresh().state_dict())
    for value, message in ((3, "`a` is a int, expected a tensor"), (np.array(["x"]), "is not a tensor of numbers")):
        with pytest.raises(SpecError, match=message):
            archspec.load_weights(module, spec, {"a": value})  # type: ignore[dict-item]
    for wrong in (None, 3, [arrays]):
        with pytest.raises(TypeError, match="expected a path or a map of tensors by name"):
            archspec.load_weights(module, spec, wrong)  # type: ignore[arg-type]


def test_values_beyond_float32_are_not_blamed_on_the_module() -> None:
    state = {name: tensor.double() for name, tensor in fresh().state_dict().items()}
    name = next(iter(state))
    state[name] = state[name] + 1e300
    for module, help in ((fresh(), "use a checkpoint whose values are in range"), (fresh().half(), "keep the module")):
        with pytest.raises(SpecError) as raised:
            archspec.load_weights(module, spec_of("gpt2"), state)
        assert str(only(raised.value).help).startswith(help)
