"""Models of patches as specs, with the weights of transformers' models."""

from __future__ import annotations

import re

import pytest
import torch

from tests.editing import edited
from tests.options import option
from tests.parity.images import DYNAMIC, LAYERS, SMALL, pixels, spec_of
from tests.parity.models import fill
from tests.parity.options import close, differ, module_of

transformers = pytest.importorskip("transformers")


SWIN = """
graph:
  patches: {block: patch_embedding, input: pixels, patch: 4, dim: d, norm: {kind: layer_norm, eps: 1e-5}}
  states:
    block: encoder
    input: patches
    layers: 2
    residual: pre
    norm: {kind: layer_norm, eps: 1e-5}
    final_norm: {kind: layer_norm, eps: 1e-5}
    attention: {heads: 4, mask: all, positions: {kind: relative_grid, rows: 6, columns: 6, share: false}}
    feed_forward: {hidden: 4*d, activation: gelu}
outputs:
  states: float[batch, 36, d]
weights:
  reference:
    map:
      patches.(weight bias): embeddings.patch_embeddings.projection.(weight bias)
      patches.norm: embeddings.norm
      states.layers.*:
        from: encoder.layers.0.blocks.*
        map:
          attention.positions: attention.relative_position_bias.relative_position_bias_table
"""


@option("attention_positions.kind=relative_grid", "attention_positions.rows", "attention_positions.columns")
@option("attention_positions.share=false", "stack.norm", "stack.final_norm", "patch_embedding.norm")
def test_offsets_in_a_window_of_swin() -> None:
    config = transformers.SwinConfig(
        image_size=24, patch_size=4, embed_dim=32, depths=[2], num_heads=[4], window_size=6, drop_path_rate=0.0
    )
    reference = fill(transformers.SwinModel(config, add_pooling_layer=False), 41)
    layers = LAYERS.format(norms=("layernorm_before", "layernorm_after"))
    spec = spec_of(SWIN + layers[1:] + "      states.final_norm: layernorm\n")
    close(module_of(spec, reference)(pixels()), reference(pixels()).last_hidden_state)


DINO = """
graph:
  tokens:
    block: patch_embedding
    input: pixels
    patch: 8
    dim: d
    class_token: true
    registers: 3
    mask_token: hidden
    positions: {kind: learned, grid: [3, 3], resize: bicubic}
  states:
    block: encoder
    input: tokens
    layers: 2
    residual: {kind: pre, branch_scale: {kind: learned, init: ones}, drop_path: 0.1 * layer}
    norm: {kind: layer_norm, eps: 1e-6}
    final_norm: {kind: layer_norm, eps: 1e-6}
    attention: {heads: 4, mask: all}
    feed_forward: {hidden: 4*d, activation: gelu}
outputs:
  states: float[batch, height//8 * (width//8) + 4, d]
weights:
  reference:
    map:
      tokens.(weight bias): embeddings.patch_embeddings.projection.(weight bias)
      tokens.class_token: embeddings.cls_token
      tokens.mask_token: {from: embeddings.mask_token, rearrange: 1 d -> 1 1 d}
      tokens.registers: embeddings.register_tokens
      tokens.positions: {from: embeddings.position_embeddings, rearrange: 1 n d -> n d}
      states.final_norm: layernorm
      states.layers.*:
        from: encoder.layer.*
        map:
          (attention feed_forward)_scale: layer_scale(1 2).lambda1
"""


@option("patch_embedding.mask_token", "patch_embedding.positions", "residual.branch_scale", "residual.kind=pre")
@option("learned_scale.kind=learned", "learned_scale.init", "patch_embedding.class_token=true", "{more}")
@pytest.mark.parametrize(
    ("name", "size", "more"),
    [
        ("Dinov2WithRegisters", (24, 24), "patch_embedding.registers"),
        ("Dinov2", (40, 16), "positions.resize=bicubic"),
        ("Dinov2", (24, 24), "positions.grid"),
    ],
)
def test_dinov2(name: str, size: tuple[int, int], more: str) -> None:
    registers = 3 if "Registers" in name else 0
    options = {"num_register_tokens": registers} if registers else {}
    reference = fill(
        getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**SMALL, **options)), 42
    )
    text = DINO + LAYERS.format(norms=("norm1", "norm2"))[1:]
    if not registers:
        text = edited(re.sub("(?m)^.*registers.*\n", "", text), ("(width//8) + 4", "(width//8) + 1"))
    module = module_of(spec_of(text, DYNAMIC + "  hidden: bool[batch, height//8 * (width//8)]\n"), reference)
    image = pixels(*size)
    hidden = torch.rand(2, size[0] // 8 * (size[1] // 8), generator=torch.Generator().manual_seed(1)) < 0.4
    close(module(image, hidden), reference(image, bool_masked_pos=hidden).last_hidden_state)


DEIT = """
graph:
  tokens:
    block: patch_embedding
    input: pixels
    patch: 8
    dim: d
    class_token: true
    distillation_token: true
    positions: learned
  states:
    block: encoder
    input: tokens
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 4, mask: all}
    feed_forward: {hidden: 40, activation: gelu}
  front: {block: slice, input: states, axis: 1, start: 1, stop: 2}
outputs:
  states: float[batch, 11, d]
  front: float[batch, 1, d]
weights:
  reference:
    map:
      tokens.(weight bias): embeddings.patch_embeddings.projection.(weight bias)
      tokens.(class_token distillation_token): embeddings.(cls_token distillation_token)
      tokens.positions: {from: embeddings.position_embeddings, rearrange: 1 n d -> n d}
      states.final_norm: layernorm
      states.layers.*:
        from: layers.*
        map:
"""


@option("patch_embedding.distillation_token=true", "slice.input", "slice.axis", "slice.start", "slice.stop")
@option("patch_embedding.bias=true", "patch_embedding.norm=none", "patch_embedding.mask_token=none")
def test_deit_with_its_second_token() -> None:
    config = transformers.DeiTConfig(**SMALL, intermediate_size=40)
    reference = fill(transformers.DeiTModel(config, add_pooling_layer=False), 43)
    layers = LAYERS.format(norms=("layernorm_before", "layernorm_after"))
    spec = spec_of(
        edited(DEIT, ("positions: learned", "positions: learned\n    norm: none\n    bias: true")) + layers[1:]
    )
    found, wanted = module_of(spec, reference)(pixels()), reference(pixels()).last_hidden_state
    close(found.states, wanted)
    close(found.front, wanted[:, 1:2])


SIGLIP = """
graph:
  patches: {block: patch_embedding, input: pixels, patch: 8, dim: d, positions: learned}
  states:
    block: encoder
    input: patches
    layers: 2
    residual: pre
    final_norm: {kind: layer_norm, eps: 1e-6}
    norm: {kind: layer_norm, eps: 1e-6}
    attention: {heads: 4, mask: all}
    feed_forward: {hidden: 40, activation: gelu_tanh}
  probe: {block: learned, shape: [batch, 1, d], init: {kind: normal, std: 1}}
  q: {block: linear, input: probe, dim: d}
  k: {block: linear, input: states, dim: d}
  v: {block: linear, input: states, dim: d}
  asked:
    - {block: attend, query: q, key: k, value: v, heads: 4, mask: all}
    - {block: linear, dim: d}
  told:
    - {block: norm, input: asked, kind: layer_norm, eps: 1e-6}
    - {block: linear, dim: 40, activation: gelu_tanh}
    - {block: linear, dim: d}
  pooled: {block: pool, input: asked + told, kind: first}
outputs:
  states: float[batch, 9, d]
  pooled: float[batch, d]
weights:
  reference:
    map:
      patches.(weight bias): embeddings.patch_embedding.(weight bias)
      patches.positions: embeddings.position_embedding.weight
      states.layers.*:
        from: encoder.layers.*
        map:
          (attention_norm feed_forward_norm): (layer_norm1 layer_norm2)
          attention.(q k v out): self_attn.(q_proj k_proj v_proj out_proj)
          feed_forward.(up down): mlp.(fc1 fc2)
      states.final_norm: post_layernorm
      probe.value: head.probe
      (q k v).weight: {from: head.attention.in_proj_weight, split: 0}
      (q k v).bias: {from: head.attention.in_proj_bias, split: 0}
      asked.1: head.attention.out_proj
      told.0: head.layernorm
      told.(1 2): head.mlp.(fc1 fc2)
"""


@option("learned.shape", "attend.query", "attend.key", "attend.value", "attend.heads", "attend.mask", "pool.kind=first")
@option("linear.activation=gelu_tanh", "value.+")
def test_siglip_and_its_probe() -> None:
    config = transformers.SiglipVisionConfig(**SMALL, intermediate_size=40)
    reference = fill(transformers.SiglipVisionModel(config), 52)
    found, expected = module_of(spec_of(SIGLIP), reference)(pixels()), reference(pixels())
    close(found.states, expected.last_hidden_state)
    close(found.pooled, expected.pooler_output)


BEIT = """
graph:
  tokens: {block: patch_embedding, input: pixels, patch: 8, dim: d, class_token: true}
  states:
    block: encoder
    input: tokens
    layers: 2
    residual: {kind: pre, branch_scale: {kind: learned, init: 0.1}}
    norm: {kind: layer_norm, eps: 1e-12}
    final_norm: false
    attention: {heads: 4, mask: all, bias: [q, v, out]}
    feed_forward: {hidden: 40, activation: gelu}
  patches: {block: slice, input: states, axis: 1, start: 1}
  pooled: [{block: pool, input: patches, kind: mean}, {block: norm}]
outputs:
  states: float[batch, 10, d]
  pooled: float[batch, d]
weights:
  reference:
    map:
      tokens.(weight bias): embeddings.patch_embeddings.projection.(weight bias)
      tokens.class_token: embeddings.cls_token
      pooled.1: pooler.layernorm
      states.layers.*:
        from: layers.*
        map:
          (attention_scale feed_forward_scale): (lambda_1 lambda_2)
"""


@option("residual.branch_scale", "learned_scale.init", "init.kind=number", "attention.bias=q", "slice.stop=none")
@option("slice.start", "pool.kind=mean", "pool.valid=none", "init.value", "stack.final_norm=false")
def test_beit() -> None:
    config = transformers.BeitConfig(**SMALL, intermediate_size=40, layer_norm_eps=1e-12)
    reference = fill(transformers.BeitModel(config), 53)
    layers = LAYERS.format(norms=("layernorm_before", "layernorm_after"))
    found, expected = module_of(spec_of(BEIT + layers[1:]), reference)(pixels()), reference(pixels())
    close(found.states, expected.last_hidden_state)
    close(found.pooled, expected.pooler_output)


PIXTRAL = """
graph:
  patches: {block: patch_embedding, input: pixels, patch: 8, dim: d, bias: false, norm: {kind: rms_norm, eps: 1e-5}}
  states:
    block: encoder
    input: patches
    layers: 2
    residual: pre
    norm: {kind: rms_norm, eps: 1e-5}
    final_norm: false
    attention:
      heads: 4
      mask: all
      bias: false
      positions:
        kind: rotary_grid
        grid: [height//8, width//8]
        layout: half
        coordinates: index
        frequencies: FREQUENCIES
        base: 50
    feed_forward: {hidden: 40, activation: silu, gated: true, bias: false}
outputs:
  states: float[batch, height//8 * (width//8), d]
weights:
  reference:
    map:
      patches.weight: patch_conv.weight
      patches.norm: ln_pre
      states.layers.*:
        from: transformer.layers.*
        map:
          attention_norm: attention_norm
          attention.(q k v out): attention.(q_proj k_proj v_proj o_proj)
          feed_forward_norm: ffn_norm
          feed_forward.(gate up down): feed_forward.(gate_proj up_proj down_proj)
"""


@option("attention_positions.kind=rotary_grid", "attention_positions.grid", "attention_positions.coordinates=index")
@option("attention_positions.frequencies=alternating", "attention_positions.base@rotary_grid")
@option("attention_positions.layout@rotary_grid", "attention_positions.frequencies=shared")
@pytest.mark.parametrize("size", [(24, 24), (40, 16), (8, 32)])
def test_pixtral_and_its_positions_in_a_grid(size: tuple[int, int]) -> None:
    config = transformers.PixtralVisionConfig(
        **SMALL, intermediate_size=40, hidden_act="silu", rope_parameters={"rope_type": "axial", "rope_theta": 50.0}
    )
    reference = fill(transformers.PixtralVisionModel(config), 54)
    module = module_of(spec_of(PIXTRAL.replace("FREQUENCIES", "alternating"), DYNAMIC), reference)
    image = pixels(*size)
    # The images of a batch are one sequence, in which each sees itself.
    expected = reference(image).last_hidden_state.unflatten(1, (2, -1))[0]
    close(module(image), expected)
    other = module_of(spec_of(PIXTRAL.replace("FREQUENCIES", "shared"), DYNAMIC), reference)
    differ(other(image), expected)
