"""Architectures of one or several stacks as specs, with the weights of transformers' models."""

from __future__ import annotations

import pytest
import torch

from tests.editing import edited
from tests.options import option
from tests.parity.models import fill, right_padded
from tests.parity.options import close, draft, module_of, tokens
from tests.parity.stacks import layers

transformers = pytest.importorskip("transformers")

ALBERT = """
archspec: 1
name: albert
constants: {vocab: 60, d: 64}
dims: {batch: [1, 2, 4], n: [1, 12, 32]}
inputs:
  ids: int64[batch, n] < vocab
  valid: bool[batch, n]
  types: int64[batch, n] < 2
defaults: {norm: {kind: layer_norm, eps: 1e-12}}
graph:
  source:
    - block: token_embedding
      ids: ids
      vocab: vocab
      dim: 24
      types: {ids: types, count: 2}
      positions: {kind: learned, length: 32}
      norm: true
    - {block: linear, dim: d}
  states:
    block: encoder
    input: source
    layers: 3
    share: true
    residual: post
    attention: {heads: 4, mask: key_valid(valid)}
    feed_forward: {hidden: 96, activation: gelu_tanh}
  pooled:
    - {block: pool, input: states, kind: first}
    - {block: linear, dim: d, activation: tanh}
outputs:
  states: float[batch, n, d]
  pooled: float[batch, d]
weights:
  reference:
    map:
      source.0.table: embeddings.word_embeddings.weight
      source.0.positions: embeddings.position_embeddings.weight
      source.0.types: embeddings.token_type_embeddings.weight
      source.0.norm: embeddings.LayerNorm
      source.1: encoder.embedding_hidden_mapping_in
      states.layers.*:
        from: encoder.albert_layer_groups.*.albert_layers.0
        map:
          attention.(q k v out): attention.(query key value dense)
          attention_norm: attention.LayerNorm
          feed_forward.(up down): (ffn ffn_output)
          feed_forward_norm: full_layer_layer_norm
      pooled.1: pooler
"""


@option("stack.share=true", "token_embedding.types", "types.ids", "types.count", "token_embedding.norm=true")
@option("pool.kind=first", "linear.activation=tanh", "linear.dim", "feed_forward.activation=gelu_tanh")
def test_albert() -> None:
    config = transformers.AlbertConfig(
        vocab_size=60,
        embedding_size=24,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=32,
    )
    reference = fill(transformers.AlbertModel(config), 24)
    module = module_of(draft(ALBERT), reference)
    valid, types = right_padded(2, 12), (torch.arange(12) > 6).long().expand(2, 12)
    expected = reference(tokens(length=12), attention_mask=valid.long(), token_type_ids=types)
    found = module(tokens(length=12), valid, types)
    close(found.states[valid], expected.last_hidden_state[valid])
    close(found.pooled, expected.pooler_output)
    assert sum(one.numel() for one in module.parameters()) == sum(one.numel() for one in reference.parameters())


UMT5 = """
archspec: 1
name: umt5
constants: {vocab: 60, d: 64}
dims: {batch: [1, 2, 4], n: [1, 12, 64]}
inputs:
  ids: int64[batch, n] < vocab
defaults: {norm: rms_norm, bias: false}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d}
  states:
    block: encoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention:
      heads: 4
      scale: 1
      mask: all
      positions: {kind: relative_buckets, buckets: 12, max_distance: 20, bidirectional: true, share: false}
    feed_forward: {hidden: 96, activation: gelu_tanh, gated: true}
outputs:
  states: float[batch, n, d]
weights:
  reference:
    skip: [encoder.embed_tokens.weight]
    map:
      source.table: shared.weight
      states.layers.*:
        from: encoder.block.*
        map:
          attention_norm: layer.0.layer_norm
          attention.(q k v out): layer.0.SelfAttention.(q k v o)
          attention.positions: layer.0.SelfAttention.relative_attention_bias.weight
          feed_forward_norm: layer.1.layer_norm
          feed_forward.(gate up down): layer.1.DenseReluDense.(wi_0 wi_1 wo)
      states.final_norm: encoder.final_layer_norm
"""


@option("attention_positions.kind=relative_buckets", "attention_positions.share=false", "attention.scale")
@option("attention_positions.buckets", "attention_positions.max_distance", "attention_positions.bidirectional=true")
@option("stack.final_norm=true", "defaults.bias=false", "stack.input", "stack.layers", "stack.attention")
def test_a_table_of_distances_a_layer_in_umt5() -> None:
    config = transformers.UMT5Config(
        vocab_size=60,
        d_model=64,
        d_kv=16,
        d_ff=96,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=12,
        relative_attention_max_distance=20,
    )
    reference = fill(transformers.UMT5EncoderModel(config), 25)
    close(module_of(draft(UMT5), reference)(tokens(length=40)), reference(tokens(length=40)).last_hidden_state)


def renamed(ours: str, theirs: str) -> str:
    """The layers of CLIP, whose norms have other names."""
    lines = layers(ours, theirs, up="mlp.")
    return edited(lines, ("self_attn_layer_norm", "layer_norm1"), ("final_layer_norm", "layer_norm2"))


CLIP = f"""
archspec: 1
name: clip
constants: {{vocab: 60, d: 64, w: 32}}
dims: {{images: [1, 2, 4], texts: [1, 3, 4], n: [1, 9, 16]}}
inputs:
  pixels: float[images, 3, 24, 24]
  ids: int64[texts, n] < vocab
defaults: {{norm: layer_norm}}
graph:
  patches:
    block: patch_embedding
    input: pixels
    patch: 8
    dim: w
    bias: false
    class_token: true
    positions: learned
    norm: true
  seen:
    block: encoder
    input: patches
    layers: 2
    residual: pre
    final_norm: false
    attention: {{heads: 4, mask: all}}
    feed_forward: {{hidden: 48, activation: quick_gelu}}
  image:
    - {{block: pool, input: seen, kind: first}}
    - {{block: norm}}
    - {{block: linear, dim: 20, bias: false}}
    - {{block: l2_normalize}}
  source: {{block: token_embedding, ids: ids, vocab: vocab, dim: d, positions: {{kind: learned, length: 16}}}}
  read:
    block: decoder
    input: source
    layers: 2
    residual: pre
    final_norm: true
    attention: {{heads: 4, mask: causal}}
    feed_forward: {{hidden: 96, activation: quick_gelu}}
  end: {{block: argmax, input: ids, axis: -1}}
  text:
    - {{block: pool, input: read, kind: at, index: end}}
    - {{block: linear, dim: 20, bias: false}}
    - {{block: l2_normalize}}
  logits: {{block: matmul, left: text, right: image, transpose_right: true}}
outputs:
  logits: float[texts, images]
weights:
  reference:
    skip: [logit_scale]
    map:
      patches.weight: vision_model.embeddings.patch_embedding.weight
      patches.class_token: {{from: vision_model.embeddings.class_embedding, rearrange: d -> 1 1 d}}
      patches.positions: vision_model.embeddings.position_embedding.weight
      patches.norm: vision_model.pre_layrnorm
{renamed("seen", "vision_model.encoder")}
      image.1: vision_model.post_layernorm
      image.2: visual_projection
      source.(table positions): text_model.embeddings.(token_embedding position_embedding).weight
{renamed("read", "text_model.encoder")}
      read.final_norm: text_model.final_layer_norm
      text.1: text_projection
"""


@option("feed_forward.activation=quick_gelu", "patch_embedding.bias=false", "patch_embedding.class_token=true")
@option("patch_embedding.norm=true", "patch_embedding.patch", "patch_embedding.dim", "patch_embedding.positions")
@option("argmax.input", "argmax.axis", "pool.kind=at", "pool.index", "l2_normalize.input", "linear.bias=false")
@option("matmul.left", "matmul.right", "matmul.transpose_right=true", "positions.length", "patch_embedding.input")
def test_clip() -> None:
    inner = {"num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.CLIPConfig(
        text_config={
            **inner,
            "vocab_size": 60,
            "hidden_size": 64,
            "intermediate_size": 96,
            "max_position_embeddings": 16,
            "eos_token_id": 2,
            "bos_token_id": 0,
        },
        vision_config={**inner, "hidden_size": 32, "intermediate_size": 48, "image_size": 24, "patch_size": 8},
        projection_dim=20,
        logit_scale_init_value=0.0,
    )
    reference = fill(transformers.CLIPModel(config), 26)
    with torch.no_grad():
        reference.logit_scale.zero_()
    pixels = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    ids = tokens(3, 9, batch=3)
    wanted = reference(input_ids=ids, pixel_values=pixels).logits_per_text
    close(module_of(draft(CLIP), reference)(pixels, ids), wanted)


PERCEIVER = """
archspec: 1
name: perceiver
constants: {d: 32}
dims: {batch: [1, 2, 4], n: [1, 12, 32]}
inputs:
  x: float[batch, n, 20]
  valid: bool[batch, n]
defaults: {norm: layer_norm}
blocks:
  tower:
    fields: {heads: {type: size, default: 4}, mask: mask}
    inputs:
      x: float[b, n, d]
    graph:
      y:
        block: encoder
        input: x
        layers: 2
        residual: pre
        final_norm: false
        attention: {heads: heads, head_dim: 4, value_dim: 8, mask: mask}
        feed_forward: {hidden: 2*d, activation: gelu}
    outputs:
      y: float[b, n, d]
graph:
  latents: {block: learned, shape: [batch, 6, d]}
  taken:
    block: transformer
    input: latents
    layers: 1
    residual: pre
    final_norm: false
    attention: none
    cross_attention:
      memory: x
      memory_norm: true
      heads: 2
      head_dim: 8
      value_dim: 16
      mask: key_valid(valid)
    feed_forward: {hidden: 2*d, activation: gelu}
  states: {block: tower, x: taken, mask: all, repeat: 3, share: true}
outputs:
  states: float[batch, 6, d]
weights:
  reference:
    map:
      latents.value: {from: embeddings.latents, rearrange: n d -> 1 n d}
      taken.layers.0:
        from: encoder.cross_attention
        map:
          cross_attention_norm: attention.self.layernorm1
          cross_attention.memory_norm: attention.self.layernorm2
          cross_attention.(q k v): attention.self.(query key value)
          cross_attention.out: attention.output.dense
          feed_forward_norm: layernorm
          feed_forward.(up down): mlp.(dense1 dense2)
      states.0.y.layers.*:
        from: encoder.self_attends.*
        map:
          attention_norm: attention.self.layernorm1
          attention.(q k v): attention.self.(query key value)
          attention.out: attention.output.dense
          feed_forward_norm: layernorm
          feed_forward.(up down): mlp.(dense1 dense2)
"""


@option("cross_attention.memory_norm=true", "attention.value_dim", "attention.head_dim", "learned.shape")
@option("transformer.cross_attention", "stack.attention=none", "file.blocks", "block.graph")
@option("block.fields", "block.inputs", "block.outputs", "field.type=size", "field.type=mask", "field.default")
def test_perceiver() -> None:
    config = transformers.PerceiverConfig(
        num_latents=6,
        d_latents=32,
        d_model=20,
        num_blocks=3,
        num_self_attends_per_block=2,
        num_self_attention_heads=4,
        num_cross_attention_heads=2,
        qk_channels=16,
        v_channels=32,
        cross_attention_widening_factor=2,
        self_attention_widening_factor=2,
    )
    reference = fill(transformers.PerceiverModel(config), 27)
    x = torch.randn(2, 12, 20, generator=torch.Generator().manual_seed(0))
    valid = right_padded(2, 12)
    wanted = reference(inputs=x, attention_mask=valid.long()).last_hidden_state
    close(module_of(draft(PERCEIVER), reference)(x, valid), wanted)


QFORMER = """
archspec: 1
name: qformer
constants: {d: 32}
dims: {batch: [1, 2, 4], n: [1, 5, 8], m: [1, 7, 9]}
inputs:
  queries: float[batch, n, d]
  seen: float[batch, m, 20]
  valid: bool[batch, m]
defaults: {norm: {kind: layer_norm, eps: 1e-12}}
graph:
  start: {block: norm, input: queries}
  states:
    block: transformer
    input: start
    layers: 3
    residual: post
    attention: {heads: 4, mask: all}
    cross_attention: {memory: seen, heads: 4, mask: key_valid(valid)}
    feed_forward: {hidden: 40, activation: gelu}
    kinds:
      both: {}
      own: {cross_attention: none}
    pattern: [both, own]
outputs:
  states: float[batch, n, d]
weights:
  reference:
    map:
      start: layernorm
      states.layers.*:
        from: encoder.layer.*
        map:
          attention.(q k v): attention.attention.(query key value)
          attention.out: attention.output.dense
          attention_norm: attention.output.LayerNorm
          feed_forward.(up down): (intermediate_query output_query).dense
          feed_forward_norm: output_query.LayerNorm
      states.layers.(0 2).cross_attention:
        from: encoder.layer.(0 2).crossattention
        map: {(q k v): attention.(query key value), out: output.dense}
      states.layers.(0 2).cross_attention_norm: encoder.layer.(0 2).crossattention.output.LayerNorm
"""


@option("transformer.kinds", "cross_sublayers.cross_attention", "cross_sublayers.cross_attention=none")
def test_attention_to_images_in_every_other_layer_of_blip_2() -> None:
    config = transformers.Blip2QFormerConfig(
        vocab_size=60,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=40,
        encoder_hidden_size=20,
        cross_attention_frequency=2,
    )
    reference = fill(transformers.Blip2QFormerModel(config), 28)
    draw = torch.Generator().manual_seed(0)
    queries, seen = torch.randn(2, 5, 32, generator=draw), torch.randn(2, 7, 20, generator=draw)
    valid = right_padded(2, 7)
    wanted = reference(
        query_embeds=queries, encoder_hidden_states=seen, encoder_attention_mask=valid.long()
    ).last_hidden_state
    close(module_of(draft(QFORMER), reference)(queries, seen, valid), wanted)
