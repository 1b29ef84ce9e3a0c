"""Layer normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.types import TensorType
from archspec.ops.base import Emitter, ParameterSpec, Primitive, Reads
from archspec.ops.coordinates import count
from archspec.ops.operands import FLOAT, require
from archspec.ops.signature import bind
from archspec.ops.source import call, literal
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ops.base import Array


@record
class LayerNorm(Primitive):
    """`y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias` over the last axis, var the biased variance.

    Parameters: `weight` [d], `bias` [d].
    Source: Ba et al. 2016, arXiv 1607.06450.
    """

    name = "layer_norm"
    signature = "... d -> ... d"

    eps: float = 1e-5
    weight: bool = True
    bias: bool = True

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        bind(self.signature, inputs)
        return (inputs[0],)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """Weight and bias, where asked."""
        features = inputs[0].with_axes(inputs[0].shape[-1])
        specs = {"weight": ParameterSpec(type=features, role="norm")} if self.weight else {}
        return specs | ({"bias": ParameterSpec(type=features, role="bias")} if self.bias else {})

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of every axis but the last, which is mixed."""
        return ((identity(count(inputs[0].axes[:-1])),),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        x = inputs[0]
        mean = x.mean(axis=-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        y = (x - mean) / np.sqrt(variance + self.eps)
        y = y * parameters["weight"] if self.weight else y
        return (y + parameters["bias"] if self.bias else y,)

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.LayerNorm`; it has no form with a bias alone."""
        if not self.weight:
            return None
        bias = None if self.bias else "False"
        return call("nn.LayerNorm", str(inputs[0].shape[-1]), eps=_eps(self.eps), bias=bias)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.layer_norm`."""
        shape = f"({e.size(e.types[0].shape[-1])},)"
        keywords = {"weight": parameters.get("weight"), "bias": parameters.get("bias"), "eps": _eps(self.eps)}
        return (call("F.layer_norm", inputs[0], shape, **keywords),)


def _eps(eps: float) -> str | None:
    return None if eps == 1e-5 else literal(eps)
