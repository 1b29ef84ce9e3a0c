"""Positions of patches on images of other sizes, against DINOv2 and ViT."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from archspec.diagnostics import Source
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.editing import edited
from tests.options import option
from tests.parity.models import fill
from tests.parity.options import close, differ, module_of

transformers = pytest.importorskip("transformers")

SPEC = """
archspec: 1
name: patches
constants: {d: 32}
dims:
  batch: [1, 2, 4]
  height: {min: 8, typical: 24, max: 64, multiple: 8}
  width: {min: 8, typical: 24, max: 64, multiple: 8}
inputs:
  pixels: float[batch, 3, height, width]
graph:
  tokens:
    block: patch_embedding
    input: pixels
    patch: 8
    dim: d
    class_token: true
    positions: {kind: learned, grid: [3, 3], resize: MODE}
outputs:
  tokens: "float[batch, height//8 * (width//8) + 1, d]"
weights:
  reference:
    map:
      tokens.(weight bias): patch_embeddings.projection.(weight bias)
      tokens.class_token: cls_token
      tokens.positions: {from: position_embeddings, rearrange: "1 n d -> n d"}
"""


def embeddings() -> nn.Module:
    config = transformers.ViTConfig(image_size=24, patch_size=8, hidden_size=32, hidden_dropout_prob=0.0)
    return fill(transformers.ViTModel(config), 8).embeddings


@option("positions.resize=bicubic", "positions.grid@learned")
@pytest.mark.parametrize("shape", [(24, 24), (40, 16), (8, 64)])
def test_bicubic_as_vit_resizes(shape: tuple[int, int]) -> None:
    reference = embeddings()
    pixels = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    found = {}
    for mode in ("bicubic", "bilinear"):
        text = edited(SPEC, ("MODE", mode))
        module = module_of(elaborate(read(Source("patches.yaml", text)), path=Path("patches.yaml")), reference)
        found[mode] = module(pixels)
    close(found["bicubic"], reference(pixels, interpolate_pos_encoding=True))
    if shape != (24, 24):
        differ(found["bilinear"], found["bicubic"])
