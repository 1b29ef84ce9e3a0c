"""Layer normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter, ParameterSpec
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.ops.norm.last_axis_norm import LastAxisNorm
from archspec.ops.norm.scaling import factor, scaling, written_eps
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class LayerNorm(LastAxisNorm):
    """`y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias` over the last axis.

    The variance is the biased one. With `unit_offset`, the factor is `1 + weight`.

    Parameters: `weight` [d] (initialised to zeros with `unit_offset`), `bias` [d].
    Source: Ba et al. 2016, arXiv 1607.06450; unit_offset as in Nemotron-4, arXiv 2402.16819.
    """

    name = "layer_norm"

    eps: float = 1e-5
    weight: bool = True
    bias: bool = True
    unit_offset: bool = False

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight and the bias, if requested."""
        features = inputs[0].with_axes(inputs[0].shape[-1])
        return scaling(features, weight=self.weight, bias=self.bias, unit_offset=self.unit_offset)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        x = inputs[0]
        mean = x.mean(axis=-1, keepdims=True)
        # Around the mean: the mean of squares less the square of the mean would cancel digits.
        variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        y = (x - mean) / np.sqrt(variance + self.eps)
        y = y * (parameters["weight"] + self.unit_offset) if self.weight else y
        return (y + parameters["bias"] if self.bias else y,)

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.LayerNorm`, which supports neither a bias without a weight nor a unit offset."""
        if not self.weight or self.unit_offset:
            return None
        bias = None if self.bias else "False"
        return call("nn.LayerNorm", str(inputs[0].shape[-1]), eps=written_eps(self.eps), bias=bias)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.layer_norm`."""
        shape = f"({e.size(e.types[0].shape[-1])},)"
        keywords = {
            "weight": factor(parameters, self.unit_offset),
            "bias": parameters.get("bias"),
            "eps": written_eps(self.eps),
        }
        return (call("F.layer_norm", inputs[0], shape, **keywords),)
