"""Mixtures of experts and stochastic depth, against the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from archspec.checking import compile
from archspec.oracle.interpreter import interpret
from tests.blocks.surroundings import Trial, shapes, trial
from tests.options import option

NODE = """
block: encoder
input: x
layers: 1
residual: bare
attention: none
feed_forward: {{hidden: 24, activation: {act}, gated: {gated}, bias: {bias}, experts: {{{experts}}}}}
"""


def run(experts: str, act: str = "silu", gated: str = "true", bias: str = "false") -> Trial:
    return Trial(NODE.format(act=act, gated=gated, bias=bias, experts=experts), "float[batch, n, d]")


@option("experts.scores={scores}", "experts.normalise={normalise}", "experts.count", "experts.top_k")
@option("experts.scale", "feed_forward.gated={gated}", "feed_forward.bias={bias}")
@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize(("gated", "bias"), [("true", "false"), ("false", "true")])
def test_each_token_passes_its_experts(scores: str, normalise: bool, gated: str, bias: str) -> None:
    found = run(
        f"count: 5, top_k: 2, scores: {scores}, normalise: {str(normalise).lower()}, scale: 1.5", gated=gated, bias=bias
    )
    part = {name.removeprefix("layers.0.feed_forward."): value for name, value in found.parameters.items()}
    assert part["experts.up"].shape == (5, 24, 64) and part["experts.down"].shape == (5, 64, 24)

    def apply(name: str, x: np.ndarray, expert: int) -> np.ndarray:
        y = part[f"experts.{name}"][expert] @ x
        return y + part[f"experts.{name}_bias"][expert] if bias == "true" else y

    for row, column in np.ndindex(2, 5):
        x = found.inputs["x"][row, column]
        logits = part["router.weight"] @ x + (part["router.bias"] if bias == "true" else 0)
        chosen = np.argsort(-logits)[:2]
        weights = 1 / (1 + np.exp(-logits)) if scores == "sigmoid" else np.exp(logits) / np.exp(logits).sum()
        weights = weights[chosen] / (weights[chosen].sum() if normalise else 1) * 1.5
        y = np.zeros(64)
        for expert, weight in zip(chosen, weights, strict=True):
            first = apply("gate" if gated == "true" else "up", x, expert)
            h = first / (1 + np.exp(-first)) * (apply("up", x, expert) if gated == "true" else 1)
            y += weight * apply("down", h, expert)
        np.testing.assert_allclose(found.result[row, column] - x, y, rtol=1e-8, atol=1e-8)


@option("experts.selection_bias=true", "feed_forward.bias=true")
def test_the_bias_that_ranks_is_the_only_one_of_the_router() -> None:
    """`router.bias` decides which experts are chosen and not what they weigh; the experts keep their own biases."""
    more = "count: 5, top_k: 2, scores: sigmoid, normalise: false, selection_bias: true"
    found = run(more, gated="false", bias="true")
    part = {name.removeprefix("layers.0.feed_forward."): value for name, value in found.parameters.items()}
    wanted = {"router.weight", "router.bias", "experts.up", "experts.up_bias", "experts.down", "experts.down_bias"}
    assert {name for name in part if name.startswith(("router", "experts"))} == wanted
    for row, column in np.ndindex(2, 5):
        x = found.inputs["x"][row, column]
        weights = 1 / (1 + np.exp(-part["router.weight"] @ x))
        y = np.zeros(64)
        for expert in np.argsort(-weights - part["router.bias"])[:2]:
            first = part["experts.up"][expert] @ x + part["experts.up_bias"][expert]
            h = first / (1 + np.exp(-first))
            y += weights[expert] * (part["experts.down"][expert] @ h + part["experts.down_bias"][expert])
        np.testing.assert_allclose(found.result[row, column] - x, y, rtol=1e-8, atol=1e-8)


@option("experts.shared", "shared_expert.hidden")
def test_an_expert_that_every_token_passes() -> None:
    options = "count: 3, top_k: 1, scores: softmax, normalise: true"
    found, alone = run(f"{options}, shared: {{hidden: 10}}"), run(options)
    part = {name.removeprefix("layers.0.feed_forward."): torch.tensor(v) for name, v in found.parameters.items()}
    x = torch.tensor(found.inputs["x"])
    gate, up, down = (part[f"shared.{name}.weight"] for name in ("gate", "up", "down"))
    assert gate.shape == (10, 64)
    shared = F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)
    names = {name for name in alone.parameters if name.startswith("layers")}
    given = {(f"y.{name}" if name in names else name): found.parameters[name] for name in alone.parameters}
    without = interpret(alone.spec.graph, found.inputs, given)["y"]
    np.testing.assert_allclose(found.result - without, shared.numpy(), rtol=1e-9, atol=1e-9)


PATHS = """
block: encoder
input: x
layers: 3
residual: {{kind: bare, drop_path: {rate}}}
attention: none
feed_forward: {{hidden: 8, activation: none, bias: false}}
"""


@option("residual.drop_path", "expr.layer", "expr.//")
def test_a_branch_is_left_out_for_whole_samples() -> None:
    spec = trial(PATHS.format(rate="0.75 * (layer // 2)"), output="float[batch, n, d]")
    module = compile(spec).double()
    x = torch.randn(4000, 2, 64, dtype=torch.float64)
    ids = torch.zeros(4000, 2, dtype=torch.int64)

    def outputs() -> torch.Tensor:
        result = module(ids, x)
        return result.y

    torch.manual_seed(0)
    states, step = x, {}
    for layer in range(3):
        inner = module.y.layers[layer].feed_forward
        step[layer] = F.linear(F.linear(states, inner.up.weight), inner.down.weight)
        states = states + step[layer] if layer < 2 else states
    module.eval()
    torch.testing.assert_close(outputs(), states + step[2])
    module.train()
    found = (outputs() - states) / step[2]
    ratios = found.mean((1, 2))
    torch.testing.assert_close(found, ratios[:, None, None].expand_as(found), atol=1e-6, rtol=1e-6)
    kept = ratios > 2
    torch.testing.assert_close(ratios[kept], torch.full_like(ratios[kept], 4.0), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(ratios[~kept], torch.zeros_like(ratios[~kept]), atol=1e-6, rtol=1e-6)
    assert abs(kept.double().mean() - 0.25) < 0.03


def test_a_rate_of_zero_leaves_no_trace() -> None:
    spec = trial(PATHS.format(rate="0 * layer"))
    assert [node for node in spec.graph.walk() if node.op.name == "drop_path"] == []
    assert shapes(spec)
