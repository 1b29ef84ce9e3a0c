"""Biases on attention scores against the models that brought them, and against formulas written out."""

from __future__ import annotations

import pytest

from tests.editing import edited
from tests.options import option
from tests.parity.models import fill, right_padded
from tests.parity.options import close, decoder, differ, module_of, tokens

transformers = pytest.importorskip("transformers")

BLOOM = """
source.table: word_embeddings.weight
source.norm: word_embeddings_layernorm
states.layers.*:
  from: h.*
  map:
    attention_norm: input_layernorm
    attention.(q k v).weight:
      from: self_attention.query_key_value.weight
      rearrange: "(h p e) d -> (p h e) d"
      sizes: {h: HEADS, p: 3}
      split: 0
    attention.(q k v).bias:
      from: self_attention.query_key_value.bias
      rearrange: "(h p e) -> (p h e)"
      sizes: {h: HEADS, p: 3}
      split: 0
    attention.out: self_attention.dense
    feed_forward_norm: post_attention_layernorm
    feed_forward.(up down): mlp.(dense_h_to_4h dense_4h_to_h)
states.final_norm: ln_f
"""


@option("attention_positions.kind=alibi", "token_embedding.norm=true")
@pytest.mark.parametrize("heads", [4, 8])
def test_the_slopes_of_bloom(heads: int) -> None:
    config = transformers.BloomConfig(vocab_size=60, hidden_size=64, n_layer=2, n_head=heads)
    reference = fill(transformers.BloomModel(config), 1)
    spec = decoder(
        norm="layer_norm",
        bias="true",
        embedding=", norm: true",
        inputs='valid: {type: "bool[batch, n]", default: true, padding: right}',
        attention="mask: causal & key_valid(valid)\npositions: alibi",
        feed_forward="{hidden: 4*d, activation: gelu_tanh}",
        map=edited(BLOOM, ("HEADS", str(heads))),
        heads=heads,
    )
    module = module_of(spec, reference)
    close(module(tokens()), reference(tokens()).last_hidden_state)
    valid = right_padded(2, 24)
    expected = reference(tokens(), attention_mask=valid.long()).last_hidden_state
    close(module(tokens(), valid)[valid], expected[valid])
    plain = decoder(
        norm="layer_norm",
        bias="true",
        embedding=", norm: true",
        attention="mask: causal",
        feed_forward="{hidden: 4*d, activation: gelu_tanh}",
        map=edited(BLOOM, ("HEADS", str(heads))),
        heads=heads,
    )
    differ(module_of(plain, reference)(tokens()), reference(tokens()).last_hidden_state)
