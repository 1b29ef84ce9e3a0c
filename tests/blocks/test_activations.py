"""Every activation of every block that takes one, in the compiled module, against transformers' table of them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.checking import compile
from tests.editing import edited
from tests.lower.running import filled
from tests.options import option
from tests.parity.options import draft

activations = pytest.importorskip("transformers.activations")

KINDS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_tanh": "gelu_pytorch_tanh",
    "quick_gelu": "quick_gelu",
    "silu": "silu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "relu_squared": "relu2",
    "relu6": "relu6",
    "none": "linear",
}
TEXT = """
archspec: 1
name: acts
dims: {batch: [1, 2, 4]}
inputs:
  x: float[batch, 4, 6]
graph:
  y: NODE
outputs:
  y: float[batch, 4, 6]
"""
X = 3 * torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def run(node: str) -> tuple[Tensor, nn.Module]:
    module = filled(compile(draft(edited(TEXT, ("NODE", node))))).double().eval()
    with torch.no_grad():
        return module(X), module.y if hasattr(module, "y") else module


def act(kind: str) -> nn.Module:
    return activations.ACT2FN[KINDS[kind]]


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@option("activation.kind={kind}", "activation.input")
@pytest.mark.parametrize("kind", KINDS)
def test_alone(kind: str) -> None:
    found, _ = run(f"{{block: activation, input: x, kind: {kind}}}")
    close(found, act(kind)(X))


@option("linear.activation={kind}", "linear.bias=true", "linear.input")
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_linear_map(kind: str) -> None:
    found, y = run(f"{{block: linear, input: x, dim: 6, bias: true, activation: {kind}}}")
    close(found, act(kind)(F.linear(X, y.weight, y.bias)))


@option("conv.activation={kind}", "conv.bias=true", "conv.input")
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_convolution(kind: str) -> None:
    found, y = run(f"{{block: conv, input: x, channels: 4, kernel: 1, bias: true, activation: {kind}}}")
    close(found, act(kind)(F.conv1d(X, y.weight, y.bias)))


@option("conv_transpose.activation={kind}", "conv_transpose.bias=true", "conv_transpose.norm=none")
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_transposed_convolution(kind: str) -> None:
    more = "kernel: 1, bias: true, norm: none"
    found, y = run(f"{{block: conv_transpose, input: x, channels: 4, {more}, activation: {kind}}}")
    close(found, act(kind)(F.conv_transpose1d(X, y.weight, y.bias)))


@option("squeeze_excite.activation={kind}")
@pytest.mark.parametrize("kind", KINDS)
def test_of_squeezed_channels(kind: str) -> None:
    found, y = run(f"{{block: squeeze_excite, input: x, reduction: 2, activation: {kind}}}")
    close(found, X * y.up(act(kind)(y.down(X.mean(2, keepdim=True)))).sigmoid())


@option("conv_residual.activation={kind}", "conv_residual.norm=true", "defaults.norm")
@pytest.mark.parametrize("kind", KINDS)
def test_of_residual_convolutions(kind: str) -> None:
    text = edited(TEXT, ("graph:", "defaults: {norm: {kind: group_norm, groups: 2}}\ngraph:"))
    node = f"{{block: conv_residual, input: x, kind: basic, channels: 4, layers: 1, norm: true, activation: {kind}}}"
    module = filled(compile(draft(edited(text, ("NODE", node))))).double().eval()
    layer, turn = module.y.get_submodule("layers.0"), act(kind)
    y = layer.norm2(layer.conv2(turn(layer.norm1(layer.conv1(X)))))
    close(module(X), turn(X + y))


@pytest.mark.parametrize(
    ("block", "function"),
    [
        pytest.param("conv", F.conv1d, marks=option("conv.norm=true")),
        pytest.param("conv_transpose", F.conv_transpose1d, marks=option("conv_transpose.norm=true")),
    ],
)
@option("defaults.norm", "norm.kind=layer_norm")
def test_the_default_norm_of_a_convolution(block: str, function) -> None:
    text = edited(TEXT, ("graph:", "defaults: {norm: {kind: layer_norm, eps: 1e-3}}\ngraph:"))
    node = f"{{block: {block}, input: x, channels: 4, kernel: 1, norm: true}}"
    y = (module := filled(compile(draft(edited(text, ("NODE", node))))).double().eval()).y
    inner = F.layer_norm(function(X, y.weight, y.bias).mT, (4,), y.norm.weight, y.norm.bias, 1e-3)
    close(module(X), inner.mT)
