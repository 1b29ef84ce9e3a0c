"""Every way of joining sublayers, against its formula in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.blocks.surroundings import Trial
from tests.editing import edited
from tests.options import option

NODE = """
block: encoder
input: x
layers: 1
residual: {residual}
final_norm: false
attention: {attention}
feed_forward: {{hidden: 32, activation: tanh}}
"""
ATTENTION = "{heads: 4, mask: causal}"
Map = Callable[[Tensor], Tensor]


class Layer:
    """The sublayers and norms of layer 0, by their formulas."""

    def __init__(self, trial: Trial) -> None:
        self.of = {name.removeprefix("layers.0."): torch.tensor(array) for name, array in trial.parameters.items()}

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.of[f"{name}.weight"], self.of[f"{name}.bias"])

    def norm(self, name: str) -> Map:
        return lambda x: F.layer_norm(x, (64,), self.of[f"{name}.weight"], self.of[f"{name}.bias"])

    def f(self, x: Tensor) -> Tensor:
        q, k, v = (self.linear(x, f"attention.{name}").unflatten(-1, (4, 16)).transpose(1, 2) for name in "qkv")
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.linear(y.transpose(1, 2).flatten(2), "attention.out")

    def g(self, x: Tensor) -> Tensor:
        return self.linear(torch.tanh(self.linear(x, "feed_forward.up")), "feed_forward.down")


def _in_turn(step: Callable[[Layer, Tensor, Map, str], Tensor]) -> Callable[[Layer, Tensor], Tensor]:
    return lambda layer, x: step(layer, step(layer, x, layer.f, "attention"), layer.g, "feed_forward")


FORMULAS: dict[str, Callable[[Layer, Tensor], Tensor]] = {
    "pre": _in_turn(lambda a, x, f, name: x + f(a.norm(f"{name}_norm")(x))),
    "post": _in_turn(lambda a, x, f, name: a.norm(f"{name}_norm")(x + f(x))),
    "post_branch": _in_turn(lambda a, x, f, name: x + a.norm(f"{name}_norm")(f(x))),
    "sandwich": _in_turn(lambda a, x, f, name: x + a.norm(f"{name}_post_norm")(f(a.norm(f"{name}_norm")(x)))),
    "bare": _in_turn(lambda a, x, f, name: x + f(x)),
    "parallel": lambda a, x: x + a.f(a.norm("norm")(x)) + a.g(a.norm("norm")(x)),
    "parallel_split": lambda a, x: x + a.f(a.norm("attention_norm")(x)) + a.g(a.norm("feed_forward_norm")(x)),
    "{kind: post, branch_scale: 0.5, skip_scale: 3}": _in_turn(
        lambda a, x, f, name: a.norm(f"{name}_norm")(3 * x + 0.5 * f(x))
    ),
    "{kind: pre, branch_scale: {kind: learned, init: 0.1}}": _in_turn(
        lambda a, x, f, name: x + a.of[f"{name}_scale"] * f(a.norm(f"{name}_norm")(x))
    ),
}


SCALES = {
    "{kind: post, branch_scale: 0.5, skip_scale: 3}": ("residual.branch_scale", "residual.skip_scale"),
    "{kind: pre, branch_scale: {kind: learned, init: 0.1}}": ("residual.branch_scale", "learned_scale.kind=learned"),
}


@pytest.mark.parametrize(
    "residual", [pytest.param(one, marks=option(*SCALES.get(one, [f"residual.kind={one}"]))) for one in FORMULAS]
)
def test_a_residual_is_its_formula(residual: str) -> None:
    trial = Trial(NODE.format(residual=residual, attention=ATTENTION), "float[batch, n, d]", "{norm: layer_norm}")
    wanted = FORMULAS[residual](Layer(trial), torch.tensor(trial.inputs["x"]))
    np.testing.assert_allclose(trial.result, wanted.numpy(), rtol=1e-9, atol=1e-9)


@option("attention.pre_norm=false", "residual.kind={residual}", "stack.final_norm=false")
@pytest.mark.parametrize("residual", ["pre", "parallel", "parallel_split", "sandwich"])
def test_without_its_norm_a_sublayer_takes_x_itself(residual: str) -> None:
    attention = "{heads: 4, mask: causal, pre_norm: false}"
    trial = Trial(NODE.format(residual=residual, attention=attention), "float[batch, n, d]", "{norm: layer_norm}")
    layer, x = Layer(trial), torch.tensor(trial.inputs["x"])
    g_norm = layer.norm("norm" if residual == "parallel" else "feed_forward_norm")
    branch = layer.f(x)
    if residual == "sandwich":
        h = x + layer.norm("attention_post_norm")(branch)
        wanted = h + layer.norm("feed_forward_post_norm")(layer.g(g_norm(h)))
    else:
        start = x + branch if residual == "pre" else x
        wanted = x + branch + layer.g(g_norm(start))
    assert "attention_norm.weight" not in layer.of
    np.testing.assert_allclose(trial.result, wanted.numpy(), rtol=1e-9, atol=1e-9)


@option("residual.branch_scale", "residual.skip_scale", "expr.layer", "expr.sqrt", "expr.+", "expr./")
def test_a_scale_may_depend_on_the_layer() -> None:
    residual = "{kind: bare, branch_scale: 1/(layer + 1), skip_scale: sqrt(layer + 4)}"
    node = NODE.format(residual=residual, attention="none")
    trial = Trial(edited(node, ("layers: 1", "layers: 3")), "float[batch, n, d]", "{norm: layer_norm}")
    x = torch.tensor(trial.inputs["x"])
    for number in range(3):
        up, down = (
            [torch.tensor(trial[f"layers.{number}.feed_forward.{name}.{kind}"]) for kind in ("weight", "bias")]
            for name in ("up", "down")
        )
        x = (number + 4) ** 0.5 * x + F.linear(torch.tanh(F.linear(x, *up)), *down) / (number + 1)
    np.testing.assert_allclose(trial.result, x.numpy(), rtol=1e-9, atol=1e-9)
