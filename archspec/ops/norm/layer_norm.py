"""Layer normalisation."""

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
class LayerNorm(Primitive):
    """`y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias` over the last axis.

    The variance is the biased one. With `unit_offset`, the factor is `1 + weight`.

    Parameters: `weight` [d] (initialised to zeros with `unit_offset`), `bias` [d].
    Source: Ba et al. 2016, arXiv 1607.06450; unit_offset as in Nemotron-4, arXiv 2402.16819.
    """

    name = "layer_norm"
    signature = "... d -> ... d"
    anywhere = True
    acts = "nonlinear"
    rescales = True

    eps: float = 1e-5
    weight: bool = True
    bias: bool = True
    unit_offset: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        bind(self.signature, inputs)
        return (inputs[0],)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight and the bias, if requested."""
        features = inputs[0].with_axes(inputs[0].shape[-1])
        init = Init(kind="constant", value=0.0) if self.unit_offset else None
        specs = {"weight": ParameterSpec(type=features, role="norm", init=init)} if self.weight else {}
        return specs | ({"bias": ParameterSpec(type=features, role="bias")} if self.bias else {})

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
        return call("nn.LayerNorm", str(inputs[0].shape[-1]), eps=_eps(self.eps), bias=bias)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.layer_norm`."""
        shape = f"({e.size(e.types[0].shape[-1])},)"
        weight = parameters.get("weight")
        if weight and self.unit_offset:
            weight = f"1 + {operand(weight)}"
        keywords = {"weight": weight, "bias": parameters.get("bias"), "eps": _eps(self.eps)}
        return (call("F.layer_norm", inputs[0], shape, **keywords),)


def _eps(eps: float) -> str | None:
    """The source of an epsilon; None for the default of PyTorch, 1e-5."""
    return None if eps == 1e-5 else literal(eps)
