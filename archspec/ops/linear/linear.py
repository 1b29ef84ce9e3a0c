"""The affine map of the last axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.parts import part_of_axis
from archspec.ir.placement import Copied, Partial, Placement, Shard, Sharding
from archspec.ir.sharded import along
from archspec.ir.signature import bind
from archspec.ir.source import call
from archspec.ir.types import Axis, TensorType
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Linear(Primitive):
    """`y = x W^T + b` over the last axis.

    Parameters: `weight` [out, in], `bias` [out]. `out` may have factors (heads, head_dim), which the output keeps.
    """

    name = "linear"
    signature = "... i -> ... o"
    anywhere = True
    acts = "affine"
    factors = (0,)

    out: Axis
    bias: bool = True
    layered: bool = True
    """False if the module of its name also has parameters of other ops, so that it cannot be an `nn.Linear`."""

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand with the last axis replaced."""
        bound = bind(self.signature, inputs)
        return (inputs[0].with_axes(*bound.leading, self.out),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight and, if requested, the bias."""
        x = inputs[0]
        # A stored weight has plain axes: factors matter in what is computed.
        specs = {"weight": ParameterSpec(type=x.with_axes(self.out.size, x.shape[-1]), channels=1)}
        if self.bias:
            specs["bias"] = ParameterSpec(type=x.with_axes(self.out.size), role="bias")
        return specs

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * positions * in * out`."""
        return 2 * outputs[0].elements() * inputs[0].shape[-1]

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of every axis but the last."""
        return ((identity(sum(len(a.factors) for a in inputs[0].axes[:-1])),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By features of the result; by those of the operand, which leaves terms; by any other axis; in terms."""
        last = inputs[0].rank - 1
        by_result = Sharding(
            operands=(Copied(),), results=(Shard(last),), parameters={"weight": Shard(0), **self._bias(Shard(0))}
        )
        by_operand = Sharding(
            operands=(Shard(last),), results=(Partial(),), parameters={"weight": Shard(1), **self._bias(Partial())}
        )
        # The map is linear in the operand and the bias together.
        linear = Sharding(operands=(Partial(),), results=(Partial(),), parameters=self._bias(Partial()))
        return (by_result, by_operand, linear, *along([same(*range(last))]))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Linear:
        """With its part of the features."""
        return replace(self, out=part_of_axis(self.out, way.parameters.get("weight"), 0, ranks))

    def _bias(self, placement: Placement) -> dict[str, Placement]:
        """The placement of the bias, if there is one."""
        return {"bias": placement} if self.bias else {}

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; what moves along the last axis is read as a whole."""
        return (together(operands, [same(*range(inputs[0].rank - 1))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`x @ W.T + b`."""
        y = inputs[0] @ parameters["weight"].T
        return (y + parameters["bias"] if self.bias else y,)

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.Linear`, if nothing else has its name."""
        if not self.layered:
            return None
        bias = None if self.bias else "False"
        return call("nn.Linear", str(inputs[0].shape[-1]), str(self.out), bias=bias)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.linear`."""
        return (call("F.linear", inputs[0], *parameters.values()),)
