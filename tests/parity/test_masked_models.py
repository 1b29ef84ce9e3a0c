"""Windows, kinds of layers, prefixes and packed texts against the models that have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from archspec.spec import load
from tests.parity.models import fill, ids, size
from tests.parity.test_parity import BATCH, SEEDS, close, compiled, llama_sizes, text_sizes

transformers = pytest.importorskip("transformers")

WINDOW = 3


@pytest.mark.parametrize("seed", SEEDS)
def test_mistral(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    config = transformers.MistralConfig(
        **llama_sizes(small),
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        sliding_window=WINDOW,
    )
    reference = fill(transformers.MistralForCausalLM(config), seed)
    reference.save_pretrained(tmp_path)
    module = compiled(load("mistral-7b", set={**text_sizes(small), "kv_heads": "1", "window": str(WINDOW)}), tmp_path)
    for length in small.lengths:
        tokens = ids(small, BATCH, length, seed)
        close(module(tokens), reference(tokens).logits)


@pytest.mark.parametrize("seed", SEEDS)
def test_gemma_2(seed: int, tmp_path: Path) -> None:
    drawn = size(seed)
    # A local layer alone does not see all that is earlier, as the spec's rules demand.
    small = replace(drawn, layers=max(2, drawn.layers))
    config = transformers.Gemma2Config(
        **{**llama_sizes(small), "rms_norm_eps": 1e-6},
        num_key_value_heads=1,
        head_dim=6,
        query_pre_attn_scalar=6,
        sliding_window=WINDOW,
    )
    # Its kernels leave the cap of the scores out.
    reference = fill(transformers.Gemma2ForCausalLM._from_config(config, attn_implementation="eager"), seed)
    reference.save_pretrained(tmp_path)
    sizes = {**text_sizes(small), "kv_heads": "1", "head_dim": "6", "window": str(WINDOW)}
    module = compiled(load("gemma-2-2b", set=sizes), tmp_path)
    for length in small.lengths:
        tokens = ids(small, BATCH, length, seed)
        close(module(tokens), reference(tokens).logits)


@pytest.mark.parametrize("seed", SEEDS)
def test_gpt2_with_a_prefix(seed: int) -> None:
    small = size(seed)
    config = transformers.GPT2Config(
        vocab_size=small.vocab,
        n_positions=small.context,
        n_embd=small.width,
        n_layer=small.layers,
        n_head=small.heads,
        n_inner=small.hidden,
        bos_token_id=0,
        eos_token_id=0,
    )
    reference = fill(transformers.GPT2LMHeadModel(config), seed)
    module = compiled(load("prefix-lm-base", set=text_sizes(small)), dict(reference.state_dict()))
    for length in small.lengths:
        tokens, given = ids(small, BATCH, length, seed), torch.tensor([0, 2, length])
        ahead = torch.ones(length, length, dtype=torch.bool).tril() | (torch.arange(length) < given[:, None, None])
        blocked = torch.where(ahead[:, None], 0.0, torch.finfo(torch.float32).min)
        close(module(tokens, given), reference(tokens, attention_mask=blocked).logits)


def modern_bert(seed: int, tmp_path: Path) -> tuple[torch.nn.Module, torch.nn.Module]:
    small, layers = size(seed), 4 + 3 * (seed % 2)
    config = transformers.ModernBertConfig(
        vocab_size=small.vocab,
        hidden_size=small.width,
        intermediate_size=small.hidden,
        num_hidden_layers=layers,
        num_attention_heads=small.heads,
        max_position_embeddings=small.context,
        local_attention=2 * WINDOW,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        cls_token_id=0,
        sep_token_id=0,
    )
    reference = fill(transformers.ModernBertModel(config), seed)
    reference.save_pretrained(tmp_path)
    sizes = {**text_sizes(small), "layers": str(layers), "reach": str(WINDOW)}
    return reference, compiled(load("modernbert-base", set=sizes), tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
def test_modernbert(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    reference, module = modern_bert(seed, tmp_path)
    for length in small.lengths:
        tokens = ids(small, BATCH, length, seed)
        close(module(tokens), reference(tokens).last_hidden_state)


@pytest.mark.parametrize("seed", SEEDS)
def test_texts_that_are_packed_are_what_they_are_alone(seed: int, tmp_path: Path) -> None:
    small = size(seed)
    reference, module = modern_bert(seed, tmp_path)
    lengths = [5, 1, small.context - 6]
    texts = [ids(small, 1, length, seed + number) for number, length in enumerate(lengths)]
    numbers = torch.repeat_interleave(torch.tensor([2, 3, 7]), torch.tensor(lengths))[None]
    alone: list[Tensor] = [reference(text).last_hidden_state for text in texts]
    close(module(torch.cat(texts, 1), numbers), torch.cat(alone, 1))
