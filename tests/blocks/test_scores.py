"""What acts on the scores of attention, against the formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from archspec.ops.position.alibi import Alibi
from tests.blocks.surroundings import Trial, shapes, trial
from tests.options import option

NODE = """
block: {block}
input: x
layers: 2
residual: bare
attention: {attention}
feed_forward: none
{more}
"""
HEADS = 4


def run(attention: str, more: str = "", block: str = "transformer", **inputs: np.ndarray) -> Trial:
    node = NODE.format(block=block, attention=f"{{heads: 4, {attention}}}", more=more)
    return Trial(node, "float[batch, n, d]", inputs=inputs)


def expected(
    found: Trial, bias: Tensor | list[Tensor] | float, mask: Tensor | None = None, times: Tensor | float = 1.0
) -> Tensor:
    """Two bare layers of attention in which `times` multiplies the scores and a bias is added to them."""
    x = torch.tensor(found.inputs["x"])
    for layer in range(2):
        q, k, v = (heads(found, x, layer, name) for name in "qkv")
        scores = q @ k.mT / 4 * times + (bias[layer] if isinstance(bias, list) else bias)
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        sink = found.parameters.get(f"layers.{layer}.attention.sink")
        x = x + joined(found, softmax(scores, sink) @ v, layer)
    return x


def softmax(scores: Tensor, sink: np.ndarray | None) -> Tensor:
    """Softmax, with one more score in the sum where there is a sink."""
    top = scores.amax(-1, keepdim=True)
    total = (scores - top).exp().sum(-1, keepdim=True)
    if sink is not None:
        total = total + (torch.tensor(sink)[:, None, None] - top).exp()
    return (scores - top).exp() / total


def project(found: Trial, x: Tensor, layer: int, name: str) -> Tensor:
    weight, bias = (torch.tensor(found[f"layers.{layer}.attention.{name}.{part}"]) for part in ("weight", "bias"))
    return F.linear(x, weight, bias)


def heads(found: Trial, x: Tensor, layer: int, name: str) -> Tensor:
    return project(found, x, layer, name).unflatten(-1, (HEADS, -1)).transpose(1, 2)


def joined(found: Trial, y: Tensor, layer: int) -> Tensor:
    return project(found, y.transpose(1, 2).flatten(2), layer, "out")


def same(found: Trial, wanted: Tensor) -> None:
    np.testing.assert_allclose(found.result, wanted.numpy(), rtol=1e-9, atol=1e-9)


def causal(n: int) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool).tril()


@option("attention_positions.slopes=learned", "attention_positions.kind=alibi")
def test_a_learned_slope_for_every_head_of_every_layer() -> None:
    found = run("mask: all, positions: {kind: alibi, slopes: learned}")
    distance = torch.tensor([[abs(i - j) for j in range(5)] for i in range(5)])
    slopes = [torch.tensor(found[f"layers.{layer}.attention.positions"]) for layer in range(2)]
    assert slopes[0].shape == (HEADS,)
    same(found, expected(found, [-slope[:, None, None] * distance for slope in slopes]))


def test_slopes_of_heads_that_are_no_power_of_two() -> None:
    """The reference code's rule: those of the largest power of two below, then every other of the next one's."""
    (bias,) = Alibi(heads=12).reference([np.zeros((1, 2, 1))] * 2, {}, {})
    eight = [2.0 ** -(k + 1) for k in range(8)]
    sixteen = [2.0 ** (-(k + 1) / 2) for k in range(16)]
    np.testing.assert_allclose(-bias[0, :, 0, 1], [*eight, *sixteen[0::2][:4]])


@option(
    "attention_positions.bidirectional={both}",
    "attention_positions.share={share}",
    "attention_positions.share@relative_buckets",
)
@option("attention_positions.buckets", "attention_positions.max_distance")
@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("both", [True, False])
def test_buckets_of_distances(share: bool, both: bool) -> None:
    options = f"buckets: 8, max_distance: 6, bidirectional: {str(both).lower()}, share: {str(share).lower()}"
    x = np.random.default_rng(1).normal(size=(2, 12, 64))
    found = run(f"mask: all, positions: {{kind: relative_buckets, {options}}}", x=x, ids=np.zeros((2, 12), int))
    names = ["attention.positions"] * 2 if share else [f"layers.{layer}.attention.positions" for layer in range(2)]
    assert sorted(name for name in shapes(found.spec) if name.endswith("positions")) == sorted(set(names))
    side = 4 if both else 8

    def bucket(query: int, key: int) -> int:
        distance = abs(query - key) if both else max(query - key, 0)
        near = side // 2
        if distance >= near:
            distance = near + int(math.log(distance / near) / math.log(6 / near) * (side - near) + 1e-9)
        return min(distance, side - 1) + (side if both and key > query else 0)

    numbers = torch.tensor([[bucket(i, j) for j in range(12)] for i in range(12)])
    same(found, expected(found, [torch.tensor(found[name])[numbers].permute(2, 0, 1) for name in names]))


def of_patches(found: Trial) -> Trial:
    """The layers after a patch embedding as a trial of their own, on the patches."""
    pixels = torch.tensor(found.inputs["pixels"])
    patches = pixels.unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    weight = torch.tensor(found["0.weight"]).flatten(1)
    inner = Trial.__new__(Trial)
    inner.inputs = {"x": F.linear(patches, weight, torch.tensor(found["0.bias"])).numpy()}
    inner.parameters = {name.removeprefix("1."): value for name, value in found.parameters.items()}
    return inner


@option("attention_positions.share={share}", "attention_positions.share@relative_grid")
@option("attention_positions.kind=relative_grid")
@option("attention_positions.rows", "attention_positions.columns")
@pytest.mark.parametrize("share", [True, False])
def test_offsets_in_a_grid(share: bool) -> None:
    node = f"""
- {{block: patch_embedding, input: pixels, patch: 16, dim: 64}}
- block: encoder
  layers: 2
  residual: bare
  attention:
    heads: 4
    mask: all
    positions: {{kind: relative_grid, rows: 2, columns: 3, share: {str(share).lower()}}}
  feed_forward: none
"""
    found = Trial(node, "float[batch, 6, 64]")
    names = ["1.attention.positions"] * 2 if share else [f"1.layers.{layer}.attention.positions" for layer in range(2)]
    assert found[names[0]].shape == (3 * 5, 4)
    places = [(row, column) for row in range(2) for column in range(3)]
    rows = torch.tensor([[(a - c + 1) * 5 + b - d + 2 for c, d in places] for a, b in places])
    biases = [torch.tensor(found[name])[rows].permute(2, 0, 1) for name in names]
    inner = of_patches(found)
    same(found, expected(inner, biases))


@option("attention_positions.size@rotary_grid", "attention_positions.layout=interleaved")
@option("attention_positions.coordinates={coordinates}", "attention_positions.frequencies={frequencies}")
@pytest.mark.parametrize("frequencies", ["shared", "alternating"])
@pytest.mark.parametrize("coordinates", ["index", "centred"])
def test_a_part_of_the_features_turns_by_row_and_column(coordinates: str, frequencies: str) -> None:
    """A token and a grid of two by three patches, whose pairs turn as complex numbers."""
    options = f"coordinates: {coordinates}, frequencies: {frequencies}, base: 50, size: 8"
    node = f"""
- {{block: patch_embedding, input: pixels, patch: 16, dim: 64, class_token: true}}
- block: encoder
  layers: 2
  residual: bare
  attention:
    heads: 4
    mask: all
    positions: {{kind: rotary_grid, grid: [2, 3], layout: interleaved, {options}}}
  feed_forward: none
"""
    found = Trial(node, "float[batch, 7, 64]")
    rows, columns = ([0, 1], [0, 1, 2]) if coordinates == "index" else ([-0.5, 0.5], [-2 / 3, 0, 2 / 3])
    turn = 1 if coordinates == "index" else 2 * math.pi
    second = [50 ** -(2 / 8), 50 ** -(6 / 8)] if frequencies == "alternating" else [1, 50 ** -(4 / 8)]
    angles = [[0.0] * 4] + [[a, a * 50**-0.5, b * second[0], b * second[1]] for a in rows for b in columns]

    def turned(x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x[..., :8].unflatten(-1, (4, 2)).contiguous())
        pairs = pairs * torch.exp(1j * turn * torch.tensor(angles, dtype=torch.float64))
        return torch.cat((torch.view_as_real(pairs).flatten(-2), x[..., 8:]), -1)

    inner = of_patches(found)
    token = torch.tensor(found["0.class_token"]).expand(len(inner.inputs["x"]), -1, -1)
    x = torch.cat((token, torch.tensor(inner.inputs["x"])), 1)
    for layer in range(2):
        q, k, v = (heads(inner, x, layer, name) for name in "qkv")
        x = x + joined(inner, (turned(q) @ turned(k).mT / 4).softmax(-1) @ v, layer)
    same(found, x)


@option("attention_positions.kind=added", "attention_positions.query", "attention_positions.key", "value.exp")
def test_values_are_added_to_what_queries_and_keys_are_made_of() -> None:
    found = run("mask: all, positions: {kind: added, query: 0.5 * x, key: exp(x)}")
    start = x = torch.tensor(found.inputs["x"])
    for layer in range(2):
        q, k = heads(found, x + 0.5 * start, layer, "q"), heads(found, x + start.exp(), layer, "k")
        v = heads(found, x, layer, "v")
        x = x + joined(found, (q @ k.mT / 4).softmax(-1) @ v, layer)
    same(found, x)


@option("attention.add_to_scores", "attention.multiply_scores")
def test_a_value_is_added_to_the_scores_and_one_multiplies_them() -> None:
    options = "add_to_scores: nudge, multiply_scores: gain"
    for mask, allowed in (("all", None), ("causal", causal(5)), ("key_valid(valid)", ...)):
        rng = np.random.default_rng(2)
        inputs = {"nudge": rng.normal(size=(2, 1, 5, 5)), "gain": rng.normal(size=(5, 5))}
        found = run(f"mask: {mask}, {options}", **inputs)
        if allowed is ...:
            allowed = torch.tensor(found.inputs["valid"])[:, None, None]
        near, far = (torch.tensor(inputs[name]) for name in ("nudge", "gain"))
        same(found, expected(found, near, allowed, far))


@option("attention.add_to_scores", "attention.multiply_scores=none")
def test_positions_and_a_value_are_added_both() -> None:
    near = np.random.default_rng(3).normal(size=(2, 1, 5, 5))
    found = run("mask: all, positions: alibi, add_to_scores: nudge", nudge=near)
    slopes = torch.tensor([2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8])
    distance = torch.tensor([[abs(i - j) for j in range(5)] for i in range(5)])
    same(found, expected(found, torch.tensor(near) - slopes[:, None, None] * distance))


@option("attention.sink={sink}")
@pytest.mark.parametrize("sink", ["learned", "zero"])
def test_a_sink_takes_a_part_of_every_row(sink: str) -> None:
    found = run(f"mask: causal, sink: {sink}")
    assert (found.parameters.get("layers.0.attention.sink") is not None) == (sink == "learned")
    if sink == "zero":
        found.parameters |= {f"layers.{layer}.attention.sink": np.zeros(4) for layer in range(2)}
    same(found, expected(found, 0.0, causal(5)))


def test_tables_of_layers_that_share_are_made_once() -> None:
    spec = trial(NODE.format(block="decoder", attention="{heads: 4, mask: causal, positions: alibi}", more=""))
    assert [node.scope for node in spec.graph.walk() if node.op.name == "alibi"] == ["y"]
