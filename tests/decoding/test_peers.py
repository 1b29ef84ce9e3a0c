"""Greedy generation gives the ids that transformers gives, on the same random weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import archspec
from archspec import weights
from archspec.contract.fill import fill
from archspec.spec import load
from tests.options import option

transformers = pytest.importorskip("transformers")

NEW = 8
SMALL = {"layers": "2", "heads": "4", "d_model": "32", "d_ff": "48", "vocab": "50"}
PROMPTS = [[5, 6, 7], [1], [9, 8, 7, 6, 5]]


def peer_ids(peer: nn.Module, prompt: list[int], new: int = NEW, **more: Any) -> list[int]:
    """What `generate` of transformers gives for one row, the prompt left out."""
    found = peer.generate(
        torch.tensor([prompt]), max_new_tokens=new, do_sample=False, num_beams=1, use_cache=False, **more
    )[0].tolist()
    return found[len(prompt) :]


def peer(kind: str, config: Any) -> nn.Module:
    found: nn.Module = fill(getattr(transformers, kind)(config), 3, 0.4)
    return found


def same_ids(name: str, found: nn.Module, end: int, new: int = NEW, **set: str) -> None:
    spec = load(name, set={**SMALL, **set, "decode.end": str(end)})
    module = archspec.compile(spec)
    module.load_state_dict(weights.load(spec, dict(found.state_dict())), strict=True)
    rows = archspec.generate(spec, PROMPTS, max_new=new, module=module)
    for row, prompt in zip(rows, PROMPTS, strict=True):
        assert list(row.ids) == peer_ids(found, prompt, new, eos_token_id=end, pad_token_id=0)


@option("file.decode", "decode.input", "decode.output", "decode.start=none", "decode.end")
def test_gpt2() -> None:
    config = transformers.GPT2Config(
        vocab_size=50, n_positions=24, n_embd=32, n_layer=2, n_head=4, n_inner=48, bos_token_id=0, eos_token_id=0
    )
    same_ids("gpt2", peer("GPT2LMHeadModel", config), 11, context="24", **{"dims.length": "[1, 8, context]"})


def test_llama() -> None:
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-5,
        rope_theta=500000.0,
        bos_token_id=0,
        eos_token_id=1,
    )
    same_ids("llama-3-8b", peer("LlamaForCausalLM", config), 11, kv_heads="2")


@option("decode.start", "decode.end", "decode.input", "decode.output")
def test_t5() -> None:
    config = transformers.T5Config(
        vocab_size=50,
        d_model=32,
        d_kv=6,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        eos_token_id=1,
        pad_token_id=0,
    )
    found = peer("T5ForConditionalGeneration", config)
    spec = load("t5-small", set={**SMALL, "head_dim": "6"})
    module = archspec.compile(spec)
    module.load_state_dict(weights.load(spec, dict(found.state_dict())), strict=True)
    sources = torch.randint(2, 50, (3, 7), generator=torch.Generator().manual_seed(0))
    valid = torch.arange(7) < torch.tensor([7, 3, 5])[:, None]
    rows = archspec.generate(spec, max_new=NEW, module=module, inputs={"src_ids": sources, "src_valid": valid})
    for row, source, kept in zip(rows, sources, valid, strict=True):
        expected = found.generate(source[kept][None], max_new_tokens=NEW, do_sample=False, num_beams=1, use_cache=False)
        assert row.prompt == (0,)
        assert [0, *row.ids] == expected[0].tolist()
