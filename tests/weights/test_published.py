"""Checkpoints as they are found: other names, wrappers, shards, ties, fp8 and damage; the reference is transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archspec import weights
from archspec.checking import compile
from archspec.diagnostics import SpecError, SpecWarning
from archspec.spec import Spec, load
from tests.parity.models import fill
from tests.weights.tables import codes, only

transformers = pytest.importorskip("transformers")

HEADS = {
    "gpt2": ("lm_head.weight", "transformer.wte.weight"),
    "gemma-2-2b": ("lm_head.weight", "model.embed_tokens.weight"),
    "smollm2-135m": ("lm_head.weight", "model.embed_tokens.weight"),
    "qwen3-0.6b": ("lm_head.weight", "model.embed_tokens.weight"),
    "t5-small": ("lm_head.weight", "shared.weight"),
}
"""Shipped specs with a tied head: its name in transformers, and the table's."""


def _gpt2() -> nn.Module:
    sizes = {"vocab_size": 31, "n_positions": 12, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 24}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))


def _t5() -> nn.Module:
    sizes = {"vocab_size": 31, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    return transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes))


def _llama_like(family: str) -> Callable[[], nn.Module]:
    sizes = {"vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True}
    config = getattr(transformers, f"{family}Config")
    return lambda: getattr(transformers, f"{family}ForCausalLM")(config(**sizes, **heads))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "gpt2": _gpt2,
    "t5-small": _t5,
    "gemma-2-2b": _llama_like("Gemma2"),
    "smollm2-135m": _llama_like("Llama"),
    "qwen3-0.6b": _llama_like("Qwen3"),
}


@cache
def spec_of(name: str) -> Spec:
    sizes = {"layers": "2", "d_model": "16", "d_ff": "24", "heads": "2", "vocab": "31"}
    more = {
        "gpt2": {"context": "12", "dims.length": "[1, 4, context]"},
        "t5-small": {"head_dim": "8"},
        "gemma-2-2b": {"head_dim": "8", "kv_heads": "1"},
        "smollm2-135m": {"kv_heads": "1"},
        "qwen3-0.6b": {"head_dim": "8", "kv_heads": "1"},
    }
    return load(name, set={**sizes, **more[name]})


@cache
def reference(name: str) -> nn.Module:
    return fill(MODELS[name](), 7).eval()


def state_of(name: str) -> dict[str, Tensor]:
    """The state dict in memory: it holds the head and the table, one tensor under two names."""
    return {key: tensor.detach().clone() for key, tensor in reference(name).state_dict().items()}


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("name", HEADS)
def test_a_tied_head_loads_under_either_name_or_both(name: str) -> None:
    head, table = HEADS[name]
    state = state_of(name)
    assert torch.equal(state[head], state[table])
    both = weights.load(spec_of(name), state)
    for left_out in (head, table):
        one = {key: tensor for key, tensor in state.items() if key != left_out}
        assert same(weights.load(spec_of(name), one), both)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_of_its_own_is_refused_with_both_names(name: str) -> None:
    head, table = HEADS[name]
    state = state_of(name)
    state[head][5, 3] += 1e-3
    with pytest.raises(SpecError) as raised:
        weights.load(spec_of(name), state)
    found = only(raised.value)
    assert found.code == "E526"
    assert f"`{head}` [31, 16]" in found.message
    assert f"`{table}` [31, 16]" in found.message
    assert found.message.endswith("at [5, 3], 1 of 496 values in total")
    assert found.primary is not None


def test_a_head_of_another_dtype_or_shape_is_refused() -> None:
    head, _ = HEADS["gpt2"]
    for own, told in ((torch.zeros(32, 16), "shapes"), (state_of("gpt2")[head].half(), "float32 and float16")):
        with pytest.raises(SpecError) as raised:
            weights.load(spec_of("gpt2"), {**state_of("gpt2"), head: own})
        assert only(raised.value).code == "E526"
        assert told in only(raised.value).message


def test_every_tied_name_of_t5_serves_for_all() -> None:
    state = state_of("t5-small")
    names = [name for name in state if torch.equal(state[name], state["shared.weight"])]
    assert sorted(names) == ["decoder.embed_tokens.weight", "encoder.embed_tokens.weight", "lm_head.weight",
                             "shared.weight"]  # fmt: skip
    rest = {name: tensor for name, tensor in state.items() if name not in names}
    wanted = weights.load(spec_of("t5-small"), state)
    for name in names:
        assert same(weights.load(spec_of("t5-small"), {**rest, name: state[name]}), wanted)
    with pytest.raises(SpecError) as raised:
        weights.load(spec_of("t5-small"), rest, "huggingface")
    assert codes(raised.value) == ["E513"]
    assert "`lm_head.weight`, which is tied to it, is missing too" in only(raised.value).notes


def test_export_is_like_a_checkpoint_that_holds_the_tie_twice_or_under_the_other_name(tmp_path: Path) -> None:
    spec = spec_of("gpt2")
    ours, (layout, _) = weights.parameter_shapes(spec.graph), weights.layouts(spec)
    state = state_of("gpt2")
    made = weights.load(spec, state)
    head, table = HEADS["gpt2"]
    for names in (set(state), set(state) - {table}, set(state) - {head}):
        like = {name: tuple(state[name].shape) for name in names}
        exported = weights.export_weights(ours, layout, made, like)
        assert same(exported, {name: state[name] for name in names})
        weights.write_weights(tmp_path / "model.safetensors", exported)
        assert same(weights.load(spec, tmp_path), made)


def test_what_the_oldest_files_hold_besides_is_skipped() -> None:
    """Keys that transformers itself leaves out on loading: of T5, of Llama before 4.32, and of GPT-2's file."""
    extra = {
        "t5-small": {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": torch.zeros(32, 2)},
        "gpt2": {f"h.{layer}.attn.bias": torch.ones(1, 1, 12, 12) for layer in range(2)},
    }
    for name, more in extra.items():
        state = state_of(name)
        assert same(weights.load(spec_of(name), {**state, **more}), weights.load(spec_of(name), state))
    llama = load("llama-2-7b", reduced=True)
    ours, (layout, _) = weights.parameter_shapes(llama.graph), weights.layouts(llama)
    state = weights.export_weights(ours, layout, {name: torch.randn(shape) for name, shape in ours.items()})
    more = {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.ones(4) for layer in range(2)}
    assert same(weights.load(llama, {**state, **more}), weights.load(llama, state))


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_in_front_are_no_part_of_a_name(wrapper: str) -> None:
    spec, state = spec_of("gpt2"), state_of("gpt2")
    wanted = weights.load(spec, state)
    assert same(weights.load(spec, {wrapper + name: tensor for name, tensor in state.items()}), wanted)
    assert same(weights.load(spec, {wrapper + name: tensor for name, tensor in wanted.items()}), wanted)


def test_real_wrappers() -> None:
    spec = spec_of("smollm2-135m")
    module = compile(spec)
    wanted = dict(module.state_dict())
    for wrapped in (torch.compile(module), nn.DataParallel(module)):
        assert same(weights.load(spec, dict(wrapped.state_dict())), wanted)


@pytest.mark.parametrize("name", ["gpt2", "t5-small", "smollm2-135m"])
def test_shards_load_as_one_file_does(name: str, tmp_path: Path) -> None:
    model = reference(name)
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "many", max_shard_size="4KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 2
    wanted = weights.load(spec_of(name), state_of(name))
    assert same(weights.load(spec_of(name), tmp_path / "one"), wanted)
    assert same(weights.load(spec_of(name), tmp_path / "many"), wanted)


def test_a_stray_file_beside_an_index_is_a_warning(tmp_path: Path) -> None:
    reference("gpt2").save_pretrained(tmp_path, max_shard_size="4KB")
    save_file({"adapter": torch.zeros(2)}, tmp_path / "adapter.safetensors")
    with pytest.warns(SpecWarning, match="adapter.safetensors next to model.safetensors.index.json"):
        found = weights.load(spec_of("gpt2"), tmp_path)
    assert same(found, weights.load(spec_of("gpt2"), state_of("gpt2")))


def test_an_index_beside_a_single_file_is_a_warning(tmp_path: Path) -> None:
    reference("gpt2").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "b.safetensors"}}))
    with pytest.warns(SpecWarning, match="model.safetensors.index.json next to model.safetensors"):
        weights.load(spec_of("gpt2"), tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["transformer.wte.weight", "transformer.h.1.attn.c_attn.bias"])
def test_one_value_that_is_not_finite_is_refused_by_name(name: str, value: float, tmp_path: Path) -> None:
    state = {key: tensor for key, tensor in state_of("gpt2").items() if key != "lm_head.weight"}
    at = (30, 2) if state[name].dim() == 2 else (7,)
    state[name][at] = value
    save_file(state, tmp_path / "model.safetensors")
    for source in (state, tmp_path):
        with pytest.raises(SpecError) as raised:
            weights.load(spec_of("gpt2"), source)
        found = only(raised.value)
        assert found.code == "E527"
        assert found.message == f"`{name}` {list(state[name].shape)} contains {value} at {list(at)}"
        assert found.notes == (f"1 of {state[name].numel()} values are not finite",)


def test_all_tensors_that_are_not_finite_are_told_in_one_run() -> None:
    state = {key: tensor for key, tensor in state_of("gpt2").items() if key != "lm_head.weight"}
    for name in ("transformer.wpe.weight", "transformer.ln_f.bias"):
        state[name][0] = float("nan")
    with pytest.raises(SpecError) as raised:
        weights.load(spec_of("gpt2"), state)
    assert codes(raised.value) == ["E527", "E527"]


def test_own_names_are_held_to_finite_values_too() -> None:
    own = weights.load(spec_of("gpt2"), state_of("gpt2"))
    own = {name: tensor.clone() for name, tensor in own.items()}
    own["source.table"][3] = float("inf")
    with pytest.raises(SpecError) as raised:
        weights.load(spec_of("gpt2"), own)
    assert only(raised.value).message == "`source.table` [31, 16] contains inf at [3, 0]"
