"""Encoders with decoders as specs, with the weights of transformers' models."""

from __future__ import annotations

import pytest
import torch

from tests.editing import edited
from tests.options import option
from tests.parity.models import fill, right_padded
from tests.parity.options import close, differ, draft, module_of, tokens
from tests.parity.stacks import SEQ2SEQ, layers

transformers = pytest.importorskip("transformers")

WHISPER = f"""
archspec: 1
name: whisper
constants: {{vocab: 60, d: 64, hidden: 96}}
dims:
  batch: [1, 2, 4]
  frames: {{min: 2, typical: 40, max: 40, multiple: 2}}
  n: [1, 12, 24]
inputs:
  sound: float[batch, 8, frames]
  ids: int64[batch, n] < vocab
defaults: {{norm: layer_norm}}
graph:
  heard:
    - {{block: conv, input: sound, channels: d, kernel: 3, padding: 1, activation: gelu}}
    - {{block: conv, channels: d, kernel: 3, stride: 2, padding: 1, activation: gelu}}
    - {{block: rearrange, pattern: b c t -> b t c}}
    - {{block: add_positions, kind: sinusoidal, layout: halves, endpoint: true}}
  memory:
    block: encoder
    input: heard
    layers: 2
    residual: pre
    final_norm: true
    attention: {{heads: 4, mask: all, bias: [q, v, out]}}
    feed_forward: {{hidden: hidden, activation: gelu}}
  said: {{block: token_embedding, ids: ids, vocab: vocab, dim: d, positions: {{kind: learned, length: 24}}}}
  states:
    block: decoder
    input: said
    layers: 2
    residual: pre
    final_norm: true
    attention: {{heads: 4, mask: causal, bias: [q, v, out]}}
    cross_attention: {{memory: memory, heads: 4, mask: all, bias: [q, v, out]}}
    feed_forward: {{hidden: hidden, activation: gelu}}
  logits: {{block: lm_head, input: states, tie: said.table}}
outputs:
  logits: float[batch, n, vocab]
weights:
  reference:
    prefix: [model., ""]
    skip: [encoder.embed_positions.weight, proj_out.weight]
    map:
      heard.(0 1): encoder.conv(1 2)
{layers("memory", "encoder")}
      memory.final_norm: encoder.layer_norm
      said.(table positions): decoder.(embed_tokens embed_positions).weight
{layers("states", "decoder", cross=True)}
      states.final_norm: decoder.layer_norm
"""


@option("conv.activation=gelu", "conv.padding", "conv.stride", "conv.kernel", "conv.channels", "conv.input")
@option("add_positions.input", "positions.kind=sinusoidal", "positions.layout=halves", "positions.endpoint=true")
@option("attention.bias=q", "attention.bias=v", "attention.bias=out", "rearrange.pattern", "rearrange.input")
@option("decoder.cross_attention", "cross_attention.memory", "cross_attention.memory_norm=false", "dim.multiple")
def test_whisper() -> None:
    from transformers.models.whisper.modeling_whisper import sinusoids

    config = transformers.WhisperConfig(
        **SEQ2SEQ, num_mel_bins=8, max_source_positions=20, max_target_positions=24, activation_function="gelu"
    )
    reference = fill(transformers.WhisperForConditionalGeneration(config), 21)
    with torch.no_grad():
        reference.model.encoder.embed_positions.weight.copy_(sinusoids(20, 64))
    sound = torch.randn(2, 8, 40, generator=torch.Generator().manual_seed(0))
    wanted = reference(input_features=sound, decoder_input_ids=tokens(length=12)).logits
    close(module_of(draft(WHISPER), reference)(sound, tokens(length=12)), wanted)
    plain = module_of(draft(edited(WHISPER, ("endpoint: true", "endpoint: false"))), reference)
    differ(plain(sound, tokens(length=12)), wanted)


BART = f"""
archspec: 1
name: bart
constants: {{vocab: 60, d: 64, hidden: 96}}
dims: {{batch: [1, 2, 4], src: [1, 12, 32], tgt: [1, 12, 32]}}
inputs:
  src_ids: int64[batch, src] < vocab
  valid: {{type: "bool[batch, src]", default: true, padding: right}}
  tgt_ids: int64[batch, tgt] < vocab
defaults: {{norm: layer_norm}}
graph:
  tokens: {{block: token_embedding, ids: src_ids, vocab: vocab, dim: d, scale: sqrt(d)}}
  source:
    - {{block: add_positions, input: tokens, kind: learned, length: 32, offset: 2}}
    - {{block: norm}}
  memory:
    block: encoder
    input: source
    layers: 2
    residual: post
    attention: {{heads: 4, mask: key_valid(valid)}}
    feed_forward: {{hidden: hidden, activation: gelu}}
  targets: {{reuse: tokens, ids: tgt_ids}}
  target:
    - {{block: add_positions, input: targets, kind: learned, length: 32, offset: 2}}
    - {{block: norm}}
  states:
    block: decoder
    input: target
    layers: 2
    residual: post
    attention: {{heads: 4, mask: causal}}
    cross_attention: {{memory: memory, heads: 4, mask: key_valid(valid)}}
    feed_forward: {{hidden: hidden, activation: gelu}}
outputs:
  states: float[batch, tgt, d]
  seen: {{from: memory.layers.0, type: "float[batch, src, d]"}}
weights:
  reference:
    skip: [(encoder decoder).embed_tokens.weight]
    map:
      tokens.table: shared.weight
      (source target).0.positions: (encoder decoder).embed_positions.weight
      (source target).1: (encoder decoder).layernorm_embedding
{layers("memory", "encoder")}
{layers("states", "decoder", cross=True)}
"""


@option("residual.kind=post", "positions.offset", "positions.kind=learned", "input.default", "input.padding=right")
@option("stack.final_norm=false", "mask.key_valid", "mask.causal", "norm.input", "output.from", "output.type")
@option("decoder.cross_attention", "token_embedding.scale", "defaults.norm", "stack.residual", "expr.sqrt")
def test_bart() -> None:
    config = transformers.BartConfig(**SEQ2SEQ, max_position_embeddings=32, scale_embedding=True)
    reference = fill(transformers.BartModel(config), 22)
    module = module_of(draft(BART), reference)
    source, target, valid = tokens(1, 15), tokens(2, 11), right_padded(2, 15)
    expected = reference(
        input_ids=source, attention_mask=valid.long(), decoder_input_ids=target, output_hidden_states=True
    )
    found = module(source, valid, tgt_ids=target)
    close(found.states, expected.last_hidden_state)
    close(found.seen[valid], expected.encoder_hidden_states[1][valid])
    plain = reference(input_ids=source, decoder_input_ids=target)
    close(module(source, tgt_ids=target).states, plain.last_hidden_state)


PEGASUS = edited(
    BART,
    ("kind: learned, length: 32, offset: 2", "kind: sinusoidal, layout: halves"),
    ("residual: post", "residual: pre\n    final_norm: true"),
    ("name: bart", "name: pegasus"),
    ("    - {block: norm}\n", "    - {block: rearrange, pattern: b n d -> b n d}\n"),
)


@option("positions.kind=sinusoidal", "positions.layout=halves", "positions.endpoint=false", "residual.kind=pre")
def test_pegasus() -> None:
    config = transformers.PegasusConfig(
        **SEQ2SEQ, max_position_embeddings=32, scale_embedding=True, activation_function="gelu"
    )
    reference = transformers.PegasusModel(config)
    tables = [stack.embed_positions.weight.clone() for stack in (reference.encoder, reference.decoder)]
    fill(reference, 29)
    for stack, table in zip((reference.encoder, reference.decoder), tables, strict=True):
        stack.embed_positions.weight.data.copy_(table)
    text = PEGASUS
    for line in ("(source target).0.positions", "(source target).1"):
        text = "\n".join(one for one in text.split("\n") if line not in one)
    text = edited(text, ("skip: [", "skip: [(encoder decoder).embed_positions.weight, "))
    text += "      (memory states).final_norm: (encoder decoder).layer_norm\n"
    source, target = tokens(1, 15), tokens(2, 11)
    expected = reference(input_ids=source, decoder_input_ids=target).last_hidden_state
    close(module_of(draft(text), reference)(source, tgt_ids=target).states, expected)


DETR = f"""
archspec: 1
name: detr
constants: {{d: 64, hidden: 96}}
dims: {{batch: [1, 2, 4], s: [1, 12, 32], q: [1, 5, 8]}}
inputs:
  features: float[batch, s, d]
  valid: {{type: "bool[batch, s]", padding: any}}
  places: float[batch, s, d]
  start: float[batch, q, d]
  queries: float[batch, q, d]
defaults: {{norm: layer_norm}}
graph:
  memory:
    block: encoder
    input: features
    layers: 2
    residual: post
    attention:
      heads: 4
      mask: key_valid(valid)
      positions: {{kind: added, query: places, key: places}}
    feed_forward: {{hidden: hidden, activation: relu}}
  states:
    block: transformer
    input: start
    layers: 2
    residual: post
    final_norm: true
    attention: {{heads: 4, mask: all, positions: {{kind: added, query: queries, key: queries}}}}
    cross_attention:
      memory: memory
      heads: 4
      mask: key_valid(valid)
      positions: {{kind: added, query: queries, key: places}}
    feed_forward: {{hidden: hidden, activation: relu}}
outputs:
  states: float[batch, q, d]
weights:
  reference:
    map:
{layers("memory", "encoder", out="o_proj", up="mlp.")}
{layers("states", "decoder", out="o_proj", up="mlp.", cross=True)}
      states.final_norm: decoder.layernorm
"""


@option("attention_positions.kind=added", "attention_positions.query", "attention_positions.key", "mask.all")
@option("transformer.cross_attention", "feed_forward.activation=relu", "input.padding=any", "attention.positions")
def test_detr() -> None:
    from transformers.models.detr import modeling_detr

    config = transformers.DetrConfig(
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=96,
        decoder_ffn_dim=96,
        use_timm_backbone=False,
        backbone_config=transformers.ResNetConfig(),
    )
    reference = torch.nn.Module()
    reference.encoder, reference.decoder = modeling_detr.DetrEncoder(config), modeling_detr.DetrDecoder(config)
    fill(reference, 23)
    draw = torch.Generator().manual_seed(1)
    features, places = (torch.randn(2, 12, 64, generator=draw) for _ in range(2))
    start, queries = (torch.randn(2, 5, 64, generator=draw) for _ in range(2))
    valid = torch.rand(2, 12, generator=draw) < 0.7
    memory = reference.encoder(
        inputs_embeds=features, attention_mask=valid.long(), spatial_position_embeddings=places
    ).last_hidden_state
    wanted = reference.decoder(
        inputs_embeds=start,
        encoder_hidden_states=memory,
        encoder_attention_mask=valid.long(),
        spatial_position_embeddings=places,
        object_queries_position_embeddings=queries,
    ).last_hidden_state
    close(module_of(draft(DETR), reference)(features, valid, places, start, queries), wanted)
