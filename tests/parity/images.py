"""Small specs of images, and images for them."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.spec.spec import Spec
from tests.parity.options import draft

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


def spec_of(graph: str, inputs: str = FIXED) -> Spec:
    head = HEAD if "height" in inputs else HEAD[: HEAD.index("  height")] + "inputs:\n"
    return draft(f"{head}{inputs}defaults: {{norm: {{kind: layer_norm, eps: 1e-12}}}}\n{graph}")


def pixels(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(2, 3, *(size or (24, 24)), generator=torch.Generator().manual_seed(seed))
