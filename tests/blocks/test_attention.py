"""Attention and feed-forward sublayers, against PyTorch."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from archspec.diagnostics import Source
from archspec.model.exposing import exposed
from archspec.ops.attention.attention import Attention
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.blocks.surroundings import Trial, document, trial
from tests.editing import edited
from tests.options import option

NODE = """
block: transformer
input: x
layers: 1
residual: bare
attention: {attention}
feed_forward: {feed_forward}
{more}
"""
OUTPUT = "float[batch, n, d]"


def _run(attention: str = "none", feed_forward: str = "none", more: str = "") -> Trial:
    return Trial(NODE.format(attention=attention, feed_forward=feed_forward, more=more), OUTPUT)


def _branch(found: Trial) -> Tensor:
    """What the one sublayer adds to x."""
    return torch.tensor(found.result - found.inputs["x"])


def _linear(found: Trial, x: Tensor, name: str) -> Tensor:
    bias = found.parameters.get(f"layers.0.{name}.bias")
    return F.linear(x, torch.tensor(found[f"layers.0.{name}.weight"]), None if bias is None else torch.tensor(bias))


def _heads(found: Trial, x: Tensor, name: str, heads: int) -> Tensor:
    return _linear(found, x, name).unflatten(-1, (heads, -1)).transpose(1, 2)


def _merged(y: Tensor) -> Tensor:
    return y.transpose(1, 2).flatten(2)


def _same(left: Tensor, right: Tensor) -> None:
    np.testing.assert_allclose(left.numpy(), right.numpy(), rtol=1e-9, atol=1e-9)


@option("attention.heads", "attention.mask", "attention.positions=none", "attention.qk_norm=none")
@option("attention.softcap=none", "attention.latent=none", "attention.add_to_scores=none")
@option("attention.multiply_scores=none", "attention.sink=none", "transformer.cross_attention=none")
@option("mask.key_valid", "attention.pre_norm=true")
def test_attention_is_that_of_pytorch() -> None:
    found = _run("{heads: 4, mask: key_valid(valid)}")
    part = {name.removeprefix("layers.0.attention."): torch.tensor(array) for name, array in found.parameters.items()}
    x = torch.tensor(found.inputs["x"]).transpose(0, 1)
    wanted, _ = F.multi_head_attention_forward(
        *(x, x, x, 64, 4),
        torch.cat([part[f"{name}.weight"] for name in "qkv"]),
        torch.cat([part[f"{name}.bias"] for name in "qkv"]),
        *(None, None, False, 0.0),
        part["out.weight"],
        part["out.bias"],
        key_padding_mask=~torch.tensor(found.inputs["valid"]),
    )
    _same(_branch(found), wanted.transpose(0, 1))


@option("cross_attention.memory", "cross_attention.memory_norm", "attention.scale")
@option("transformer.cross_attention")
def test_attention_to_another_sequence() -> None:
    more = "cross_attention: {memory: memory, heads: 4, mask: all, memory_norm: rms_norm, scale: 0.5}"
    found = _run(more=more)
    x, memory = (torch.tensor(found.inputs[name]) for name in ("x", "memory"))
    memory = F.rms_norm(memory, (48,), torch.tensor(found["layers.0.cross_attention.memory_norm.weight"]), 1e-6)
    q = _heads(found, x, "cross_attention.q", 4)
    k, v = (_heads(found, memory, f"cross_attention.{name}", 4) for name in "kv")
    y = F.scaled_dot_product_attention(q, k, v, scale=0.5)
    _same(_branch(found), _linear(found, _merged(y), "cross_attention.out"))


@option("attention.kv_heads", "attention.head_dim", "attention.value_dim", "attention.softcap")
@option("attention.bias=q", "attention.bias=out")
def test_grouped_heads_of_other_sizes_with_a_softcap() -> None:
    found = _run("{heads: 4, kv_heads: 2, head_dim: 6, value_dim: 10, mask: causal, softcap: 2, bias: [q, out]}")
    x = torch.tensor(found.inputs["x"])
    q = _heads(found, x, "attention.q", 4)
    k, v = (_heads(found, x, f"attention.{name}", 2).repeat_interleave(2, dim=1) for name in "kv")
    scores = 2 * torch.tanh(q @ k.mT / math.sqrt(6) / 2)
    weights = scores.masked_fill(~torch.ones(5, 5, dtype=torch.bool).tril(), -math.inf).softmax(-1)
    _same(_branch(found), _linear(found, _merged(weights @ v), "attention.out"))


@option("qk_norm.over={over}", "attention.qk_norm", "qk_norm.norm")
@pytest.mark.parametrize("over", ["head", "all"])
def test_norms_of_queries_and_keys(over: str) -> None:
    found = _run(f"{{heads: 4, mask: all, qk_norm: {{norm: rms_norm, over: {over}}}}}")
    x = torch.tensor(found.inputs["x"])

    def normed(name: str) -> Tensor:
        weight = torch.tensor(found[f"layers.0.attention.{name}_norm.weight"])
        if over == "head":
            return F.rms_norm(_heads(found, x, f"attention.{name}", 4), (16,), weight, 1e-6)
        y = F.rms_norm(_linear(found, x, f"attention.{name}"), (64,), weight, 1e-6)
        return y.unflatten(-1, (4, 16)).transpose(1, 2)

    y = F.scaled_dot_product_attention(normed("q"), normed("k"), _heads(found, x, "attention.v", 4))
    _same(_branch(found), _linear(found, _merged(y), "attention.out"))


ACTS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "silu": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu_squared": lambda x: F.relu(x) ** 2,
    "relu6": lambda x: x.clamp(0, 6),
    "none": lambda x: x,
}


@option("feed_forward.activation={kind}", "feed_forward.gated={gated}", "feed_forward.hidden")
@option("stack.feed_forward", "feed_forward.experts=none", "feed_forward.pre_norm=true")
@pytest.mark.parametrize("kind", ACTS)
@pytest.mark.parametrize("gated", [True, False])
def test_feed_forward(kind: str, gated: bool) -> None:
    found = _run(feed_forward=f"{{hidden: 24, activation: {kind}, gated: {str(gated).lower()}}}")
    x, act = torch.tensor(found.inputs["x"]), ACTS[kind]
    up = _linear(found, x, "feed_forward.up")
    h = act(_linear(found, x, "feed_forward.gate")) * up if gated else act(up)
    _same(_branch(found), _linear(found, h, "feed_forward.down"))


@option("feed_forward.clamp", "clamp.limit", "clamp.offset", "feed_forward.gated=true")
@pytest.mark.parametrize("offset", [0, 1])
def test_clamp(offset: int) -> None:
    clamp = f"clamp: {{limit: 0.3, offset: {offset}}}"
    found = _run(feed_forward=f"{{hidden: 24, activation: quick_gelu, gated: true, {clamp}}}")
    x = torch.tensor(found.inputs["x"])
    gate, up = (_linear(found, x, f"feed_forward.{name}") for name in ("gate", "up"))
    assert (gate > 0.3).any() and (gate < -0.3).any() and (up > 0.3).any() and (up < -0.3).any()
    gate, up = torch.where(gate > 0.3, 0.3, gate), torch.where(up.abs() > 0.3, 0.3 * up.sign(), up)
    h = gate * torch.sigmoid(1.702 * gate) * (up + offset)
    _same(_branch(found), _linear(found, h, "feed_forward.down"))


def test_the_usual_scale_is_left_to_the_kernel() -> None:
    for scale, wanted in (("1/sqrt(16)", None), ("1/4", None), ("0.5", 0.5)):
        spec = trial(NODE.format(attention=f"{{heads: 4, mask: all, scale: {scale}}}", feed_forward="none", more=""))
        (op,) = (node.op for node in spec.graph.walk() if isinstance(node.op, Attention))
        assert (op.scale if op.scale is None else op.scale.constant()) == wanted


def test_rates_reach_the_ops_that_drop() -> None:
    attention, feed_forward = "{heads: 4, mask: all, dropout: 0.2}", "{hidden: 8, activation: relu, dropout: 0.3}"
    node = NODE.format(attention=attention, feed_forward=feed_forward, more="dropout: 0.4")
    spec = trial(node, "{dropout: 0.7}")
    inner = [node.op for node in spec.graph.walk() if node.scope.startswith("y")]
    assert [op.dropout for op in inner if isinstance(op, Attention)] == [0.2]
    assert [op.rate for op in inner if op.name == "dropout"] == [0.4, 0.3, 0.4]  # type: ignore[attr-defined]


def test_weights_are_made_where_they_are_asked_for() -> None:
    node = edited(NODE.format(attention="{heads: 4, mask: all}", feed_forward="none", more=""), ("s: 1\n", "s: 3\n"))
    tree = read(Source("trial.yaml", document(node)))
    spec = exposed(elaborate(tree, path=Path("trial.yaml")), ("y.layers.1.attention.weights",))
    assert [str(value.type) for value in spec.graph.outputs[1:]] == ["float[batch, 4, n, n]"]
    assert all(not node.op.weights for node in trial(node).graph.walk() if isinstance(node.op, Attention))


def test_the_default_rate_is_that_of_branches_and_embeddings_alone() -> None:
    more = {"attention": "{heads: 4, mask: all}", "feed_forward": "{hidden: 8, activation: relu}", "more": ""}
    inner = [node.op for node in trial(NODE.format(**more), "{dropout: 0.7}").graph.walk()]
    assert [op.dropout for op in inner if isinstance(op, Attention)] == [0.0]
    # The embedding that stands beside the node drops too.
    assert [op.rate for op in inner if op.name == "dropout"] == [0.7, 0.7, 0.7]  # type: ignore[attr-defined]
