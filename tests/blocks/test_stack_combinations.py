"""Ways of joining sublayers put together by chance: the compiled module against the formula in PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archspec.checking import compile
from tests.editing import edited
from tests.lower.running import filled
from tests.parity.options import draft

TEXT = """
archspec: 1
name: joined
dims: {batch: [1, 2, 4], n: [1, 5, 8]}
inputs:
  x: float[batch, n, 8]
graph:
  y:
    block: encoder
    input: x
    layers: 3
    residual: {RESIDUAL}
    attention: {ATTENTION}
    feed_forward: {FEED}
STACK
outputs:
  y: float[batch, n, 8]
"""
X = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
ACTS = {"relu": F.relu, "silu": F.silu, "none": lambda x: x}
NORMS = ("layer_norm", "{kind: layer_norm, eps: 1e-3, bias: false}", "{kind: rms_norm, unit_offset: true}", "rms_norm")
PRE = ("pre", "sandwich", "parallel", "parallel_split")
FLAGS = st.sampled_from(["true", "false"])
OPTIONS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["pre", "post", "post_branch", "sandwich", "parallel", "parallel_split", "bare"]),
        "norm": st.sampled_from(NORMS),
        "final_norm": st.sampled_from(["false", "layer_norm"]),
        "attention_first": FLAGS,
        "feed_first": FLAGS,
        "activation": st.sampled_from(list(ACTS)),
        "gated": FLAGS,
        "share": FLAGS,
    },
    optional={
        "branch_scale": st.sampled_from(["0.5", "1/(layer + 1)", "{kind: learned, init: 0.3}"]),
        "skip_scale": st.sampled_from(["2", "layer"]),
    },
)


def text_of(o: dict[str, str]) -> str:
    residual = ", ".join(f"{name}: {o[name]}" for name in ("kind", "branch_scale", "skip_scale") if name in o)
    first = o["kind"] in PRE
    attention = "heads: 2, mask: causal" + (f", pre_norm: {o['attention_first']}" if first else "")
    feed = f"hidden: 6, activation: {o['activation']}, gated: {o['gated']}"
    feed += f", pre_norm: {o['feed_first']}" if first else ""
    stack = [f"share: {o['share']}", f"final_norm: {o['final_norm']}"]
    stack += [] if o["kind"] == "bare" else [f"norm: {o['norm']}"]
    words = {"RESIDUAL": residual, "ATTENTION": attention, "FEED": feed}
    text = edited(TEXT, ("STACK", "\n".join(f"    {line}" for line in stack)))
    for word, value in words.items():
        text = edited(text, (word, value))
    return text


def normed(layer: nn.Module, name: str, kind: str, x: Tensor) -> Tensor:
    norm = getattr(layer, name)
    if "rms" in kind:
        weight = norm.weight + 1 if "unit" in kind else norm.weight
        return F.rms_norm(x, (8,), weight, 1e-6)
    return F.layer_norm(x, (8,), norm.weight, norm.bias, 1e-3 if "eps" in kind else 1e-5)


def attended(layer: nn.Module, x: Tensor) -> Tensor:
    part = layer.attention
    q, k, v = (getattr(part, name)(x).unflatten(-1, (2, 4)).transpose(1, 2) for name in "qkv")
    y: Tensor = part.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
    return y


def forwarded(layer: nn.Module, x: Tensor, o: dict[str, str]) -> Tensor:
    part, act = layer.feed_forward, ACTS[o["activation"]]
    up = part.up(x)
    y: Tensor = part.down(act(part.gate(x)) * up if o["gated"] == "true" else act(up))
    return y


def layer_of(layer: nn.Module, number: int, x: Tensor, o: dict[str, str]) -> Tensor:
    kind, norm = o["kind"], o["norm"]
    scale = {"0.5": 0.5, "1/(layer + 1)": 1 / (number + 1)}.get(o.get("branch_scale", ""), 1.0)
    skip = {"2": 2.0, "layer": float(number)}.get(o.get("skip_scale", ""), 1.0)
    sublayers = {
        "attention": (lambda h: attended(layer, h), o["attention_first"] == "true"),
        "feed_forward": (lambda h: forwarded(layer, h, o), o["feed_first"] == "true"),
    }

    def branch(name: str, h: Tensor) -> Tensor:
        function, first = sublayers[name]
        if kind in PRE and first:
            h = normed(layer, "norm" if kind == "parallel" else f"{name}_norm", norm, h)
        y = function(h)
        if kind in ("post_branch", "sandwich"):
            y = normed(layer, f"{name}_post_norm" if kind == "sandwich" else f"{name}_norm", norm, y)
        return y * getattr(layer, f"{name}_scale") if "learned" in o.get("branch_scale", "") else y * scale

    if kind.startswith("parallel"):
        return skip * x + branch("attention", x) + branch("feed_forward", x)
    for name in sublayers:
        x = skip * x + branch(name, x)
        x = normed(layer, f"{name}_norm", norm, x) if kind == "post" else x
    return x


@settings(max_examples=35)
@given(OPTIONS)
def test_of_every_kind(options: dict[str, str]) -> None:
    module = filled(compile(draft(text_of(options)))).double().eval()
    layers = module.y.layers
    with torch.no_grad():
        x = X
        for number in range(3):
            x = layer_of(layers[0] if options["share"] == "true" else layers[number], number, x, options)
        if options["final_norm"] != "false":
            x = F.layer_norm(x, (8,), module.y.final_norm.weight, module.y.final_norm.bias)
        torch.testing.assert_close(module(X), x, rtol=1e-8, atol=1e-9)
