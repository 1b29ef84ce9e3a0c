"""Root mean square normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import count
from archspec.ir.init import Init
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free
from archspec.ir.signature import bind
from archspec.ir.source import call, literal, operand
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class RMSNorm(Primitive):
    """`y = x / sqrt(mean(x^2) + eps) * weight` over the last axis; with `unit_offset`, the factor is `1 + weight`.

    Parameters: `weight` [d] (initialised to zeros with `unit_offset`).
    Source: Zhang and Sennrich 2019, arXiv 1910.07467; unit_offset as in Gemma.
    """

    name = "rms_norm"
    signature = "... d -> ... d"
    anywhere = True
    acts = "nonlinear"
    rescales = True

    eps: float = 1e-6
    weight: bool = True
    unit_offset: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        bind(self.signature, inputs)
        return (inputs[0],)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight, if requested."""
        if not self.weight:
            return {}
        init = Init(kind="constant", value=0.0) if self.unit_offset else None
        return {
            "weight": ParameterSpec(type=inputs[0].with_axes(inputs[0].shape[-1]), role="norm", init=init),
        }

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of every axis except the last, which is read as a whole."""
        return ((identity(count(inputs[0].axes[:-1])),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis but the last."""
        return tuple(along([same(*(k for k in free(inputs[0], inputs[0].shape[-1]) if k < inputs[0].rank - 1))]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; what moves along the last axis is read as a whole."""
        return (together(operands, [same(*range(inputs[0].rank - 1))]),)

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
        weight = parameters.get("weight")
        if weight and self.unit_offset:
            weight = f"1 + {operand(weight)}"
        # Always with eps: left out, PyTorch takes that of the dtype.
        return (call("F.rms_norm", inputs[0], shape, weight=weight, eps=literal(self.eps)),)
