"""Positions that count valid tokens alone, against RoBERTa and OPT."""

from __future__ import annotations

import pytest
import torch

from tests.options import option
from tests.parity.models import fill
from tests.parity.options import close, decoder, differ, module_of, tokens

transformers = pytest.importorskip("transformers")

VALID = torch.tensor([[False] * 5 + [True] * 19, [True] * 24])
OPT = """
source.table: decoder.embed_tokens.weight
source.positions: decoder.embed_positions.weight
states.layers.*:
  from: decoder.layers.*
  map:
    attention_norm: self_attn_layer_norm
    attention.(q k v out): self_attn.(q_proj k_proj v_proj out_proj)
    feed_forward_norm: final_layer_norm
    feed_forward.(up down): (fc1 fc2)
states.final_norm: decoder.final_layer_norm
"""
ROBERTA = """
source.table: embeddings.word_embeddings.weight
source.positions: embeddings.position_embeddings.weight
source.types: embeddings.token_type_embeddings.weight
source.norm: embeddings.LayerNorm
states.layers.*:
  from: encoder.layer.*
  map:
    attention.(q k v): attention.self.(query key value)
    attention.out: attention.output.dense
    attention_norm: attention.output.LayerNorm
    feed_forward.(up down): (intermediate output).dense
    feed_forward_norm: output.LayerNorm
"""


@option("positions.count@learned", "positions.offset")
def test_opt_counts_from_the_first_valid_token() -> None:
    config = transformers.OPTConfig(
        vocab_size=60,
        hidden_size=64,
        ffn_dim=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=32,
        word_embed_proj_dim=64,
    )
    reference = fill(transformers.OPTModel(config), 6)
    spec = decoder(
        norm="layer_norm",
        bias="true",
        inputs='valid: "bool[batch, n]"',
        embedding=", positions: {kind: learned, length: 32, offset: 2, count: valid}",
        attention="mask: causal & key_valid(valid)",
        feed_forward="{hidden: hidden, activation: relu}",
        map=OPT,
    )
    module = module_of(spec, reference)
    expected = reference(tokens(), attention_mask=VALID.long()).last_hidden_state
    close(module(tokens(), VALID)[VALID], expected[VALID])
    differ(reference(tokens()).last_hidden_state[VALID], expected[VALID])


@option("positions.count", "token_embedding.types")
def test_roberta_counts_what_is_no_padding() -> None:
    config = transformers.RobertaConfig(
        vocab_size=60,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=34,
        type_vocab_size=1,
        pad_token_id=1,
    )
    reference = fill(transformers.RobertaModel(config, add_pooling_layer=False), 7)
    padded = (tokens() + 2).clamp(max=59).masked_fill(~VALID, 1)
    spec = decoder(
        norm="{kind: layer_norm, eps: 1e-12}",
        bias="true",
        residual="post",
        final_norm="false",
        inputs='valid: "bool[batch, n]"\nsorts: "int64[batch, n] < 1"',
        embedding=", types: {ids: sorts, count: 1}, norm: true, "
        "positions: {kind: learned, length: 32, offset: 2, count: valid}",
        block="encoder",
        attention="mask: key_valid(valid)",
        feed_forward="{hidden: hidden, activation: gelu}",
        map=ROBERTA,
    )
    found = module_of(spec, reference)(padded, VALID, torch.zeros_like(padded))
    close(found[VALID], reference(padded, attention_mask=VALID.long()).last_hidden_state[VALID])
