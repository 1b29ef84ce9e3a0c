"""Models of feature maps as specs, with the weights of transformers' models."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.editing import edited
from tests.options import option
from tests.parity.images import pixels, spec_of
from tests.parity.models import fill, filled
from tests.parity.options import close, differ, draft, module_of

transformers = pytest.importorskip("transformers")


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
        text = edited(text, (word, value))
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


@option("conv.activation=relu6", "conv.padding=same", "conv.stride")
@pytest.mark.parametrize("size", ["24, 24", "23, 26"])
def test_a_strided_convolution_of_mobilenet(size: str) -> None:
    from transformers import MobileNetV2Config
    from transformers.models.mobilenet_v2.modeling_mobilenet_v2 import MobileNetV2ConvLayer

    reference = fill(MobileNetV2ConvLayer(MobileNetV2Config(), 3, 6, kernel_size=4, stride=3).eval(), 51)
    text = """
graph:
  y: {block: conv, input: pixels, channels: 6, kernel: 4, stride: 3, padding: same, bias: false,
    norm: {kind: batch_norm, eps: 1e-3}, activation: relu6}
outputs:
  y: float[batch, 6, 8, ROWS]
weights:
  reference: {map: {y.weight: convolution.weight, y.norm: normalization}}
"""
    rows, columns = map(int, size.split(","))
    spec = spec_of(text.replace("ROWS", str(-(-columns // 3))), f"  pixels: float[batch, 3, {size}]\n")
    given = 30 * pixels(rows, columns)
    found = module_of(spec, reference)(given)
    assert found.max() == 6
    close(found, reference(given))


@option("conv.padding=causal", "conv.dilation", "conv.kernel")
def test_a_causal_convolution() -> None:
    reference = fill(nn.Conv1d(4, 6, 3, dilation=2, groups=2), 50)
    text = """
archspec: 1
name: causal
dims: {batch: [1, 2, 4], n: [1, 9, 20]}
inputs: {x: "float[batch, 4, n]"}
graph:
  y: {block: conv, input: x, channels: 6, kernel: 3, dilation: 2, groups: 2, padding: causal}
outputs: {y: "float[batch, 6, n]"}
rules:
  - window: {output: y, input: x, back: 4, ahead: 0}
weights:
  reference: {map: {"y.(weight bias)": "(weight bias)"}}
"""
    x = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))
    close(module_of(draft(text), reference)(x), reference(F.pad(x, (4, 0))))


SEGFORMER = """
archspec: 1
name: segformer
constants: {c1: 16, c2: 32}
dims:
  batch: [1, 2, 4]
  height: {min: 32, typical: 64, max: 128, multiple: 32}
  width: {min: 32, typical: 64, max: 128, multiple: 32}
inputs:
  pixels: float[batch, 3, height, width]
defaults: {norm: {kind: layer_norm, eps: 1e-5}}
blocks:
  layer:
    about: keys and values of fewer patches, and a feed-forward that mixes neighbours
    fields: {heads: size, hidden: size}
    inputs:
      x: float[b, c, h, w]
    graph:
      tokens: {block: rearrange, input: x, pattern: b c h w -> b (h w) c}
      before: {block: norm, input: tokens}
      q: {block: linear, input: before, dim: c}
      fewer:
        - {block: rearrange, input: before, pattern: b (h w) c -> b c h w, sizes: {h: h}}
        - {block: conv, channels: c, kernel: 2, stride: 2}
        - {block: rearrange, pattern: b c h w -> b (h w) c}
        - {block: norm}
      k: {block: linear, input: fewer, dim: c}
      v: {block: linear, input: fewer, dim: c}
      a: {block: attend, query: q, key: k, value: v, heads: heads, mask: all}
      o: {block: linear, input: a, dim: c}
      middle: tokens + o
      mlp:
        - {block: norm, input: middle}
        - {block: linear, dim: hidden}
        - {block: rearrange, pattern: b (h w) c -> b c h w, sizes: {h: h}}
        - {block: conv, channels: hidden, kernel: 3, padding: 1, groups: hidden, activation: gelu}
        - {block: rearrange, pattern: b c h w -> b (h w) c}
        - {block: linear, dim: c}
      y: {block: rearrange, input: middle + mlp, pattern: b (h w) c -> b c h w, sizes: {h: h}}
    outputs:
      y: float[b, c, h, w]
graph:
  stage1:
    - {block: conv, input: pixels, channels: c1, kernel: 7, stride: 4, padding: 3, norm: true}
    - {block: layer, heads: 1, hidden: 2*c1}
    - {block: norm, axis: 1}
  stage2:
    - {block: conv, input: stage1, channels: c2, kernel: 3, stride: 2, padding: 1, norm: true}
    - {block: layer, heads: 2, hidden: 2*c2, repeat: 2}
    - {block: norm, axis: 1}
outputs:
  stage2: float[batch, c2, height // 8, width // 8]
weights:
  reference:
    map:
      stage(1 2).0.(weight bias): stages.(0 1).patch_embeddings.proj.(weight bias)
      stage(1 2).0.norm: stages.(0 1).patch_embeddings.layer_norm
      stage(1 2).2: stages.(0 1).layer_norm
      stage1.1: {from: stages.0.blocks.0, map: LAYER}
      stage2.1.*: {from: stages.1.blocks.*, map: LAYER}
"""
SEGFORMER_LAYER = """{before: layernorm_before, (q k v o): attention.(q_proj k_proj v_proj o_proj),
        fewer.1: attention.sequence_reduction.sequence_reduction, fewer.3: attention.sequence_reduction.layer_norm,
        mlp.0: layernorm_after, mlp.(1 3 5): mlp.(fc1 dwconv.dwconv fc2)}"""


@option("block.fields", "block.repeat", "conv.groups", "attend.heads", "rearrange.sizes", "dim.multiple")
@option("norm.axis", "conv.norm=true", "file.blocks", "field.type=size")
@pytest.mark.parametrize("size", [(32, 64), (96, 32)])
def test_segformer(size: tuple[int, int]) -> None:
    config = transformers.SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 2],
        sr_ratios=[2, 2],
        hidden_sizes=[16, 32],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        drop_path_rate=0.0,
    )
    reference = fill(transformers.SegformerModel(config), 50)
    module = module_of(draft(edited(SEGFORMER, ("LAYER", SEGFORMER_LAYER))), reference)
    close(module(pixels(*size)), reference(pixels(*size)).last_hidden_state)


REGNET = """
blocks:
  layer:
    fields: {channels: size, stride: size, reduction: size}
    inputs:
      x: float[b, c, h, w]
    graph:
      inner:
        - {block: conv, input: x, channels: channels, kernel: 1, bias: false, norm: batch_norm, activation: relu}
        - {block: conv, channels: channels, kernel: 3, stride: stride, padding: 1, groups: channels // 8, bias: false,
            norm: batch_norm, activation: relu}
        - {block: squeeze_excite, reduction: reduction}
        - {block: conv, channels: channels, kernel: 1, bias: false, norm: batch_norm}
      shortcut: {block: conv, input: x, channels: channels, kernel: 1, stride: stride, bias: false, norm: batch_norm}
      y: relu(inner + shortcut)
    outputs:
      y: float[b, channels, (h - 1) // stride + 1, (w - 1) // stride + 1]
graph:
  states:
    - {block: conv, input: pixels, channels: 8, kernel: 3, stride: 2, padding: 1, bias: false, norm: batch_norm,
        activation: relu}
    - {block: layer, channels: 16, stride: 2, reduction: 8}
    - {block: layer, channels: 24, stride: 2, reduction: 6}
outputs:
  states: float[batch, 24, 3, 3]
weights:
  reference:
    map:
      states.0.weight: embedder.embedder.convolution.weight
      states.0.norm: embedder.embedder.normalization
      states.(1 2):
        from: encoder.stages.(0 1).layers.0
        map:
          inner.(0 1 3).weight: layer.(0 1 3).convolution.weight
          inner.(0 1 3).norm: layer.(0 1 3).normalization
          inner.2.(down up): layer.2.attention.(0 2)
          shortcut.weight: shortcut.convolution.weight
          shortcut.norm: shortcut.normalization
"""


@option("squeeze_excite.reduction", "conv.groups", "field.type=size", "block.fields")
def test_regnet() -> None:
    config = transformers.RegNetConfig(
        embedding_size=8, hidden_sizes=[16, 24], depths=[1, 1], groups_width=8, layer_type="y"
    )
    reference = filled(transformers.RegNetModel(config), 51)
    close(module_of(spec_of(REGNET), reference)(pixels()), reference(pixels()).last_hidden_state)
