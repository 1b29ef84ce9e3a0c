"""Convolutions and then attention, against a forward pass written from the definition of Dai et al. 2021."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from archspec.checking import compile
from archspec.oracle.interpreter import interpret
from archspec.spec import load
from tests.options import option
from tests.parity.models import TOLERANCE, filled
from tests.parity.options import draft

P = Mapping[str, Tensor]


def below(p: P, name: str) -> P:
    """The parameters whose names begin with one."""
    return {key.removeprefix(f"{name}."): value for key, value in p.items() if key.startswith(f"{name}.")}


def batch_norm(p: P, x: Tensor) -> Tensor:
    return F.batch_norm(x, p["running_mean"], p["running_var"], p["weight"], p["bias"], eps=1e-5)


def layer_norm(p: P, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], p["weight"], p["bias"])


def linear(p: P, x: Tensor, name: str) -> Tensor:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def expanded(p: P, x: Tensor, stride: int) -> Tensor:
    """Norm, a map to four times the channels, a depthwise convolution, squeeze-excite, and a map back."""
    y = F.conv2d(batch_norm(below(p, "normed"), x), p["up.weight"], stride=stride)
    y = F.gelu(batch_norm(below(p, "up.norm"), y))
    y = F.conv2d(y, p["mixed.weight"], padding=1, groups=y.shape[1])
    y = F.gelu(batch_norm(below(p, "mixed.norm"), y))
    mean = y.mean((2, 3), keepdim=True)
    inner = F.gelu(F.conv2d(mean, p["excited.down.weight"], p["excited.down.bias"]))
    y = y * torch.sigmoid(F.conv2d(inner, p["excited.up.weight"], p["excited.up.bias"]))
    return F.conv2d(y, p["y.weight"], p["y.bias"])


def halved(x: Tensor) -> Tensor:
    """The largest of every two by two positions."""
    return x.unflatten(3, (-1, 2)).amax(4).unflatten(2, (-1, 2)).amax(3)


def attention(p: P, x: Tensor, heads: int, rows: int, columns: int) -> Tensor:
    """Attention of patches, with a learned number for each head and each distance in rows and columns."""
    q, k, v = (linear(p, x, name).unflatten(2, (heads, -1)).transpose(1, 2) for name in "qkv")
    bias = torch.empty(heads, rows * columns, rows * columns)
    for i, j in np.ndindex(rows * columns, rows * columns):
        down, along = i // columns - j // columns, i % columns - j % columns
        bias[:, i, j] = p["positions"][(down + rows - 1) * (2 * columns - 1) + along + columns - 1]
    y = (q @ k.mT / q.shape[-1] ** 0.5 + bias).softmax(-1) @ v
    return linear(p, y.transpose(1, 2).flatten(2), "out")


def feed_forward(p: P, x: Tensor) -> Tensor:
    return linear(p, F.gelu(linear(p, x, "up")), "down")


def stage(p: P, down: str, name: str, x: Tensor, head: int) -> Tensor:
    """Attention at half of the size, of a map [b, c, h, w]; the result is [b, positions, features]."""
    first, (rows, columns) = below(p, down), (x.shape[2] // 2, x.shape[3] // 2)
    flat = lambda a: a.flatten(2).transpose(1, 2)  # noqa: E731
    heads = len(first["skip.2.bias"]) // head
    skip = linear(first, flat(halved(x)), "skip.2")
    normed = layer_norm(below(first, "tokens.0"), x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    x = skip + attention(below(first, "attention"), flat(halved(normed)), heads, rows, columns)
    x = x + feed_forward(below(first, "feed_forward.1"), layer_norm(below(first, "feed_forward.0"), x))
    layers = below(p, f"{name}.layers")
    for number in range(len({key.split(".")[0] for key in layers})):
        one = below(layers, str(number))
        x = x + attention(below(one, "attention"), layer_norm(below(one, "attention_norm"), x), heads, rows, columns)
        x = x + feed_forward(below(one, "feed_forward"), layer_norm(below(one, "feed_forward_norm"), x))
    return x


def coatnet(p: P, pixels: Tensor, layers: tuple[int, int], head: int) -> Tensor:
    """The logits of images."""
    x = F.gelu(batch_norm(below(p, "stem.0.norm"), F.conv2d(pixels, p["stem.0.weight"], stride=2, padding=1)))
    x = F.conv2d(x, p["stem.1.weight"], p["stem.1.bias"], padding=1)
    for number, count in enumerate(layers, 1):
        first = below(p, f"down{number}")
        skip = F.conv2d(halved(x), first["skip.1.weight"], first["skip.1.bias"])
        x = skip + expanded(below(first, "branch"), x, 2)
        for layer in range(count - 1):
            x = x + expanded(below(p, f"stage{number}.{layer}.branch"), x, 1)
    rows, columns = x.shape[2] // 2, x.shape[3] // 2
    x = stage(p, "down3", "stage3", x, head).transpose(1, 2).unflatten(2, (rows, columns))
    x = stage(p, "down4", "stage4", x, head)
    return linear(p, layer_norm(below(p, "stage4.final_norm"), x).mean(1), "logits.1")


@option("attention.dim")
@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (2, 6)])
def test_coatnet(rows: int, columns: int) -> None:
    constants = {"rows": rows, "columns": columns, "stem_width": 16, "width": 12, "head": 8, "classes": 7}
    layers = {"layers": 2, "layers2": 3, "layers3": 3}
    spec = load("coatnet-0", set={name: str(value) for name, value in (constants | layers).items()})
    module = filled(compile(spec), 0)
    pixels = torch.randn(2, 3, 16 * rows, 16 * columns, generator=torch.Generator().manual_seed(0))
    wanted = coatnet(module.state_dict(), pixels, (2, 3), 8)
    assert wanted.std() > 0.01
    torch.testing.assert_close(module(pixels), wanted, **TOLERANCE)


def convolutions(entering: int, width: int, layers: int) -> int:
    """The number of parameters of a stage of convolutions."""
    found = entering * width + width
    for number in range(layers):
        into, inner = (entering if number == 0 else width), 4 * width
        found += 2 * into + into * inner + 2 * inner + 9 * inner + 2 * inner
        found += 2 * inner * width + width + inner + inner * width + width
    return found


def transformer(entering: int, width: int, layers: int, side: int) -> int:
    """The number of parameters of a stage of attention."""
    found = entering * width + width
    for number in range(layers):
        into = entering if number == 0 else width
        found += 2 * into + 3 * (into * width + width) + width * width + width
        found += (2 * side - 1) ** 2 * (width // 32) + 2 * width + 8 * width * width + 5 * width
    return found


def test_the_number_of_parameters() -> None:
    """The paper rounds its number to 25M; exactly it is that of the stages of its table."""
    stem = 27 * 64 + 2 * 64 + 9 * 64 * 64 + 64
    stages = convolutions(64, 96, 2) + convolutions(96, 192, 3)
    stages += transformer(192, 384, 5, 14) + transformer(384, 768, 2, 7)
    spec = load("coatnet-0")
    assert spec.counts is not None
    assert spec.counts.parameters == stem + stages + 2 * 768 + 769 * 1000 == 25_221_012


WIDER = """
archspec: 1
name: wider
dims: {batch: [1, 2, 4], n: [1, 3, 6]}
inputs:
  x: float[batch, n, 4]
graph:
  y: {block: attention, query: x, heads: 3, head_dim: 2, dim: 5, mask: causal, bias: false}
outputs:
  y: float[batch, n, 5]
rules:
  - causal: {output: y, input: x}
"""


@option("attention.dim")
def test_attention_gives_other_features() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4))
    p = {f"y.{name}.weight": rng.normal(size=(6, 4)) for name in "qkv"} | {"y.out.weight": rng.normal(size=(5, 6))}
    found = interpret(draft(WIDER).graph, {"x": x}, p)["y"]
    q, k, v = (torch.tensor(x @ p[f"y.{name}.weight"].T).unflatten(2, (3, 2)).transpose(1, 2) for name in "qkv")
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
    np.testing.assert_allclose(found, y.numpy() @ p["y.out.weight"].T, rtol=1e-9, atol=1e-12)
