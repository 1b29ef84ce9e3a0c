"""Options of attention put together by chance: the compiled module against the formula in PyTorch."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archspec.checking import compile
from tests.editing import edited
from tests.lower.running import filled
from tests.parity.options import draft

HEADS, WIDTH, N, M = 4, 16, 7, 5
TEXT = """
archspec: 1
name: combined
constants: {d: 16}
dims: {batch: [1, 2, 4], n: [1, 7, 12], m: [1, 5, 12]}
inputs:
  x: float[batch, n, d]
  memory: float[batch, m, 6]
  valid: bool[batch, KEYS]
  near: float[batch, 1, n, KEYS]
  far: float[n, KEYS]
defaults: {norm: {kind: rms_norm, eps: 1e-3}}
graph:
  y:
    block: transformer
    input: x
    layers: 2
    residual: bare
    OTHER: none
    feed_forward: none
    SUBLAYER:
      heads: 4
FIELDS
  # What nothing uses may not stand in a file.
  used:
    - near * 0 + far * 0
    - {block: pool, kind: mean}
  seen: {block: pool, input: SOURCE, kind: mean, valid: valid}
  told: {block: pool, input: memory, kind: first}
outputs:
  y: float[batch, n, d]
  weights: {from: y.layers.1.SUBLAYER.weights, type: "float[batch, 4, n, KEYS]"}
"""
POSITIONS = (
    "none",
    "{kind: rotary, layout: half}",
    "{kind: rotary, layout: interleaved, size: 2, base: 50}",
    "alibi",
    "{kind: alibi, slopes: learned}",
    "{kind: relative_buckets, buckets: 4, max_distance: 5, bidirectional: true, share: false}",
    "{kind: relative_buckets, buckets: 6, max_distance: 9, bidirectional: false, share: true}",
    "{kind: added, query: exp(x)}",
)
OPTIONS = st.fixed_dictionaries(
    {"mask": st.sampled_from(["all", "key_valid(valid)", "prefix(2)"])},
    optional={
        "kv_heads": st.sampled_from(["1", "2", "4"]),
        "head_dim": st.sampled_from(["4", "6"]),
        "value_dim": st.sampled_from(["2", "5"]),
        "scale": st.sampled_from(["0.3", "1/(layer + 2)", "1/sqrt(4)"]),
        "softcap": st.sampled_from(["2", "layer + 1"]),
        "bias": st.sampled_from(["true", "false", "[q, v]", "[k, out]"]),
        "qk_norm": st.sampled_from(["{norm: true, over: head}", "{norm: layer_norm, over: all}"]),
        "sink": st.sampled_from(["learned", "zero", "none"]),
        "positions": st.sampled_from(POSITIONS),
        "add_to_scores": st.sampled_from(["near", "near * 2 + far", "none"]),
        "multiply_scores": st.sampled_from(["far", "none"]),
        "memory_norm": st.sampled_from(["true", "false"]),
    },
)


def text_of(options: dict[str, str], cross: bool) -> str:
    """The spec with these options; every input is used."""
    fields = {**options, **({"memory": "memory"} if cross else {})}
    words = {
        "FIELDS": "\n".join(f"      {name}: {value}" for name, value in fields.items()),
        "SUBLAYER": "cross_attention" if cross else "attention",
        "OTHER": "attention" if cross else "cross_attention",
        "SOURCE": "memory" if cross else "x",
        "KEYS": "m" if cross else "n",
    }
    text = TEXT
    for word, value in words.items():
        text = edited(text, (word, value))
    return text


def heads_of(part: nn.Module, name: str, x: Tensor, count: int, options: dict[str, str]) -> Tensor:
    y = getattr(part, name)(x)
    over = options.get("qk_norm", "none") if name in ("q", "k") else "none"
    norm = getattr(part, f"{name}_norm", None)
    if norm is None:
        return y.unflatten(-1, (count, -1)).transpose(1, 2)
    if "head" in over:
        return F.rms_norm(y.unflatten(-1, (count, -1)), norm.weight.shape, norm.weight, 1e-3).transpose(1, 2)
    return F.layer_norm(y, y.shape[-1:], norm.weight, norm.bias).unflatten(-1, (count, -1)).transpose(1, 2)


def turned(x: Tensor, positions: str) -> Tensor:
    """Rotary positions, pair by pair."""
    if "rotary" not in positions:
        return x
    half = "half" in positions
    size = x.shape[-1] if half else 2
    y = x.clone()
    for pair in range(size // 2):
        a, b = (pair, pair + size // 2) if half else (2 * pair, 2 * pair + 1)
        angle = torch.arange(x.shape[2]).double() * (10000 if half else 50) ** (-2 * pair / size)
        y[..., a] = x[..., a] * angle.cos() - x[..., b] * angle.sin()
        y[..., b] = x[..., b] * angle.cos() + x[..., a] * angle.sin()
    return y


def bucket(distance: int, both: bool) -> int:
    """T5's bucket of a key so far from the query, `distance` below 0 for those before it."""
    side, far = (2, 5) if both else (6, 9)
    steps = abs(distance) if both else max(-distance, 0)
    near = side // 2
    if steps >= near:
        steps = near + int(math.log(steps / near) / math.log(far / near) * (side - near) + 1e-9)
    return min(steps, side - 1) + (side if both and distance > 0 else 0)


def position_bias(module: nn.Module, part: nn.Module, positions: str, sublayer: str, keys: int) -> Tensor | float:
    i, j = torch.arange(N)[:, None], torch.arange(keys)
    if "alibi" in positions:
        slopes = torch.tensor([2.0 ** (-2 * (head + 1)) for head in range(HEADS)]).double()
        slopes = part.positions if "learned" in positions else slopes
        return -slopes[:, None, None] * (i - j).abs()
    if "relative" not in positions:
        return 0.0
    table = part.positions if "share: false" in positions else getattr(module.y, sublayer).positions
    both = "bidirectional: true" in positions
    numbers = torch.tensor([[bucket(int(b - a), both) for b in j] for a in i])
    return table[numbers].permute(2, 0, 1)


def layer_of(
    module: nn.Module, number: int, x: Tensor, inputs: dict[str, Tensor], options: dict[str, str], cross: bool
) -> tuple[Tensor, Tensor]:
    """One attention sublayer, from its formula: what it adds and its weights."""
    sublayer = "cross_attention" if cross else "attention"
    part = getattr(module.y.layers[number], sublayer)
    source = inputs["memory"] if cross else x
    if cross and options.get("memory_norm") == "true":
        source = F.rms_norm(source, (6,), part.memory_norm.weight, 1e-3)
    groups, positions = int(options.get("kv_heads", HEADS)), options.get("positions", "none")
    query = x + inputs["x"].exp() if "added" in positions else x
    q = turned(heads_of(part, "q", query, HEADS, options), positions)
    k = turned(heads_of(part, "k", source, groups, options), positions).repeat_interleave(HEADS // groups, 1)
    v = heads_of(part, "v", source, groups, options).repeat_interleave(HEADS // groups, 1)
    usual = q.shape[-1] ** -0.5
    scale = {"0.3": 0.3, "1/(layer + 2)": 1 / (number + 2), "1/sqrt(4)": 0.5}.get(options.get("scale", ""), usual)
    scores = q @ k.mT * scale
    if "softcap" in options:
        cap = 2.0 if options["softcap"] == "2" else number + 1.0
        scores = cap * torch.tanh(scores / cap)
    if options.get("multiply_scores") == "far":
        scores = scores * inputs["far"]
    scores = scores + position_bias(module, part, positions, sublayer, k.shape[2])
    added = {"near": inputs["near"], "near * 2 + far": 2 * inputs["near"] + inputs["far"]}
    scores = scores + added.get(options.get("add_to_scores", ""), 0.0)
    allowed = torch.ones(k.shape[2], dtype=torch.bool)
    if options["mask"] != "all":
        allowed = inputs["valid"][:, None, None] if "valid" in options["mask"] else torch.arange(k.shape[2]) < 2
    weighed = scores.exp() * allowed
    total = weighed.sum(-1, keepdim=True)
    if options.get("sink", "none") != "none":
        total = total + (part.sink.exp()[:, None, None] if options["sink"] == "learned" else 1.0)
    weights = torch.where(total > 0, weighed / total, 0.0)
    return part.out((weights @ v).transpose(1, 2).flatten(2)), weights


def drawn(cross: bool) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    keys = M if cross else N
    valid = torch.rand(2, keys, generator=draw) < 0.6
    valid[1] = False
    return {
        "x": torch.randn(2, N, WIDTH, generator=draw).double(),
        "memory": torch.randn(2, M, 6, generator=draw).double(),
        "valid": valid,
        "near": torch.randn(2, 1, N, keys, generator=draw).double(),
        "far": torch.randn(N, keys, generator=draw).double(),
    }


def hold(options: dict[str, str], cross: bool) -> None:
    if not cross:
        options = {name: value for name, value in options.items() if name != "memory_norm"}
    module = filled(compile(draft(text_of(options, cross)))).double().eval()
    inputs = drawn(cross)
    with torch.no_grad():
        found = module(**inputs)
        x, weights = inputs["x"], None
        for number in range(2):
            y, weights = layer_of(module, number, x, inputs, options, cross)
            x = x + y
    torch.testing.assert_close(found.y, x, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(found.weights, weights, rtol=1e-8, atol=1e-9)


@settings(max_examples=20)
@given(OPTIONS)
def test_of_one_sequence(options: dict[str, str]) -> None:
    hold(options, cross=False)


@settings(max_examples=15)
@given(OPTIONS)
def test_of_two_sequences(options: dict[str, str]) -> None:
    hold(options, cross=True)
