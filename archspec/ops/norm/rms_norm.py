"""Root mean square normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.op import Emitter, ParameterSpec
from archspec.ir.source import call, literal
from archspec.ir.types import TensorType
from archspec.ops.norm.last_axis_norm import LastAxisNorm
from archspec.ops.norm.scaling import factor, scaling
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class RMSNorm(LastAxisNorm):
    """`y = x / sqrt(mean(x^2) + eps) * weight` over the last axis; with `unit_offset`, the factor is `1 + weight`.

    Parameters: `weight` [d] (initialised to zeros with `unit_offset`).
    Source: Zhang and Sennrich 2019, arXiv 1910.07467; unit_offset as in Gemma.
    """

    name = "rms_norm"

    eps: float = 1e-6
    weight: bool = True
    unit_offset: bool = False

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight, if requested."""
        features = inputs[0].with_axes(inputs[0].shape[-1])
        return scaling(features, weight=self.weight, bias=False, unit_offset=self.unit_offset)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        x = inputs[0]
        y = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.eps)
        return (y * (parameters["weight"] + self.unit_offset) if self.weight else y,)

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.RMSNorm`, which does not support a unit offset."""
        if self.unit_offset or not self.weight:
            return None
        # Always with eps: left out, PyTorch takes that of the dtype.
        return call("nn.RMSNorm", str(inputs[0].shape[-1]), eps=literal(self.eps))

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.rms_norm`, which computes the statistics of half precision in float32."""
        shape = f"({e.size(e.types[0].shape[-1])},)"
        # Always with eps: left out, PyTorch takes that of the dtype.
        return (
            call("F.rms_norm", inputs[0], shape, weight=factor(parameters, self.unit_offset), eps=literal(self.eps)),
        )
