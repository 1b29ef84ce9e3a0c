"""Vision architectures as specs, with the weights of transformers' models."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.options import option
from tests.parity.models import fill
from tests.parity.options import close, differ, draft, module_of
from tests.parity.test_maps import filled

transformers = pytest.importorskip("transformers")

HEAD = """
archspec: 1
name: vision
constants: {d: 32}
dims:
  batch: [1, 2, 4]
  height: {min: 8, typical: 24, max: 64, multiple: 8}
  width: {min: 8, typical: 24, max: 64, multiple: 8}
inputs:
"""
FIXED = "  pixels: float[batch, 3, 24, 24]\n"
DYNAMIC = "  pixels: float[batch, 3, height, width]\n"
LAYERS = """
          attention_norm: {norms[0]}
          attention.(q k v out): attention.(q_proj k_proj v_proj o_proj)
          feed_forward_norm: {norms[1]}
          feed_forward.(up down): mlp.(fc1 fc2)
"""
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 24, "patch_size": 8, "hidden_size": 32}


def spec_of(graph: str, inputs: str = FIXED) -> Any:
    head = HEAD if "height" in inputs else HEAD[: HEAD.index("  height")] + "inputs:\n"
    return draft(f"{head}{inputs}defaults: {{norm: {{kind: layer_norm, eps: 1e-12}}}}\n{graph}")


def pixels(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(2, 3, *(size or (24, 24)), generator=torch.Generator().manual_seed(seed))


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
        text = re.sub("(?m)^.*registers.*\n", "", text).replace("(width//8) + 4", "(width//8) + 1")
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
        DEIT.replace("positions: learned", "positions: learned\n    norm: none\n    bias: true") + layers[1:]
    )
    found, wanted = module_of(spec, reference)(pixels()), reference(pixels()).last_hidden_state
    close(found.states, wanted)
    close(found.front, wanted[:, 1:2])


RESNET = """
graph:
  stem: [{block: conv, input: pixels, channels: 8, kernel: 7, stride: 2, padding: 3, bias: false, norm: batch_norm,
    activation: relu}, {block: max_pool, kernel: 3, stride: 2, padding: 1}]
  first: {block: conv_residual, input: stem, kind: KIND, channels: 16, layers: 2, norm: batch_norm, activation: relu}
  second: {block: conv_residual, input: first, kind: KIND, channels: 24, layers: 1, stride: 2, norm: batch_norm}
  pooled: {block: pool, input: second, kind: mean}
outputs:
  second: float[batch, 24, 4, 3]
  pooled: float[batch, 24]
weights:
  reference:
    map:
      stem.0.weight: embedder.embedder.convolution.weight
      stem.0.norm: embedder.embedder.normalization
      (first second).layers.*:
        from: encoder.stages.(0 1).layers.*
        map:
          convNUMBERS.weight: layer.PLACES.convolution.weight
          normNUMBERS: layer.PLACES.normalization
      (first second).layers.0.(shortcut.weight shortcut_norm): encoder.stages.(0 1).layers.0.shortcut.SHORT
"""


@option("conv_residual.kind={kind}", "conv_residual.layers", "conv_residual.stride", "conv_residual.channels")
@option("norm.kind=batch_norm", "conv.norm", "conv.bias=false", "conv_residual.norm", "conv.activation=relu")
@option("max_pool.kernel", "max_pool.stride", "max_pool.padding", "max_pool.input", "pool.kind=mean")
@option("conv_residual.activation=relu", "conv_residual.input")
@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_resnet_of_both_kinds(kind: str) -> None:
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[16, 24], depths=[2, 1], layer_type=kind)
    reference = filled(transformers.ResNetModel(config), 45)
    count = 2 if kind == "basic" else 3
    names = {
        "KIND": kind,
        "NUMBERS": f"({' '.join(str(number + 1) for number in range(count))})",
        "PLACES": f"({' '.join(map(str, range(count)))})",
        "SHORT": "(convolution.weight normalization)",
    }
    text = RESNET
    for word, value in names.items():
        text = text.replace(word, value)
    module = module_of(spec_of(text, "  pixels: float[batch, 3, 32, 24]\n"), reference)
    found, expected = module(pixels(32, 24)), reference(pixels(32, 24))
    close(found.second, expected.last_hidden_state)
    close(found.pooled, expected.pooler_output.flatten(1))


@option("squeeze_excite.input", "squeeze_excite.reduction", "squeeze_excite.activation=relu")
def test_squeeze_and_excite_of_regnet() -> None:
    from transformers.models.regnet.modeling_regnet import RegNetSELayer

    reference = fill(RegNetSELayer(8, 2), 46)
    text = """
graph:
  y: {block: squeeze_excite, input: pixels, reduction: 4, activation: relu}
outputs:
  y: float[batch, 8, 5, 6]
weights:
  reference:
    map:
      y.(down up): attention.(0 2)
"""
    x = torch.randn(2, 8, 5, 6, generator=torch.Generator().manual_seed(1))
    module = module_of(spec_of(text, "  pixels: float[batch, 8, 5, 6]\n"), reference)
    close(module(x), reference(x))
    differ(module(x), x * 0.5)


@option("norm.kind=group_norm", "norm.groups", "conv.activation=gelu", "conv.stride", "conv.norm", "conv.norm=none")
def test_the_ears_of_wav2vec() -> None:
    from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2FeatureEncoder

    config = transformers.Wav2Vec2Config(
        conv_dim=(8, 8), conv_kernel=(5, 3), conv_stride=(2, 2), num_feat_extract_layers=2, conv_bias=True
    )
    reference = fill(Wav2Vec2FeatureEncoder(config), 47)
    text = """
graph:
  y:
    - {block: conv, input: sound, channels: 8, kernel: 5, stride: 2, norm: {kind: group_norm, groups: 8},
       activation: gelu}
    - {block: conv, channels: 8, kernel: 3, stride: 2, norm: none, activation: gelu}
outputs:
  y: float[batch, 8, 18]
weights:
  reference:
    map:
      y.0.(weight bias): conv_layers.0.conv.(weight bias)
      y.0.norm: conv_layers.0.layer_norm
      y.1: conv_layers.1.conv
"""
    sound = torch.randn(2, 80, generator=torch.Generator().manual_seed(0))
    module = module_of(spec_of(text, "  sound: float[batch, 1, 80]\n"), reference)
    close(module(sound[:, None]), reference(sound))


@option("norm.kind=group_norm", "norm.groups", "conv.activation=relu", "conv.padding")
def test_a_convolution_of_detr() -> None:
    from transformers.models.detr.modeling_detr import DetrConvBlock

    reference = fill(DetrConvBlock(3, 16), 48)
    text = """
graph:
  y: {block: conv, input: pixels, channels: 16, kernel: 3, padding: 1, norm: {kind: group_norm, groups: 8},
    activation: relu}
outputs:
  y: float[batch, 16, 24, 24]
weights:
  reference: {map: {"y.(weight bias)": "conv.(weight bias)", y.norm: norm}}
"""
    close(module_of(spec_of(text), reference)(pixels()), reference(pixels()))


@option("conv.norm", "norm.kind=layer_norm", "conv.groups", "conv.padding=same")
def test_a_depthwise_convolution_and_its_norm() -> None:
    reference = fill(nn.ModuleDict({"conv": nn.Conv2d(3, 6, 5, padding="same", groups=3), "norm": nn.LayerNorm(6)}), 49)
    text = """
graph:
  y: {block: conv, input: pixels, channels: 6, kernel: 5, padding: same, groups: 3, norm: {kind: layer_norm, eps: 1e-5}}
outputs:
  y: float[batch, 6, 24, 24]
weights:
  reference: {map: {"y.(weight bias)": "conv.(weight bias)", y.norm: norm}}
"""
    norm = reference["norm"]
    y = reference["conv"](pixels()).movedim(1, -1)
    wanted = F.layer_norm(y, (6,), norm.weight, norm.bias).movedim(-1, 1)
    close(module_of(spec_of(text), reference)(pixels()), wanted)
