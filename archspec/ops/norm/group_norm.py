"""Group normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import compare
from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion, Moves
from archspec.ir.moving import gathered, same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Shard, Sharding
from archspec.ir.sharded import along
from archspec.ir.source import call, named
from archspec.ir.types import TensorType
from archspec.ops.norm.scaling import factor, scaling, written_eps
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class GroupNorm(Primitive):
    """`y = (x - mean) / sqrt(var + eps) * weight + bias`, over the channels of each group and all spatial axes.

    Channels are axis 1; the variance is the biased one. With `unit_offset`, the factor is `1 + weight`.

    Parameters: `weight` [c] (initialised to zeros with `unit_offset`), `bias` [c].
    Source: Wu and He 2018, arXiv 1803.08494.
    """

    name = "group_norm"
    signature = "b c ... -> b c ..."
    anywhere = True
    acts = "nonlinear"
    rescales = True
    reads_more = "groups of channels are not tracked separately"

    groups: int
    eps: float = 1e-5
    weight: bool = True
    bias: bool = True
    unit_offset: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand. Raises ShapeError if the groups do not divide the channels."""
        require(inputs, FLOAT)
        x = inputs[0]
        if x.rank < 2:
            raise ShapeError(f"needs batch and channels, got {x}", (0,))
        if compare(x.shape[1] % self.groups, "==", 0) is not True:
            raise ShapeError(f"{self.groups} groups do not divide {x.shape[1]} channels", (0,))
        return (x,)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight and the bias, if requested."""
        channels = inputs[0].with_axes(inputs[0].shape[1])
        return scaling(channels, weight=self.weight, bias=self.bias, unit_offset=self.unit_offset)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The whole of the same batch row."""
        return ((aligned(outputs[0], inputs[0], [(0, 0)]),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By groups, or by rows."""
        names = self.parameters(*inputs)
        groups = Sharding(
            operands=(Shard(1),),
            results=(Shard(1),),
            parameters=dict.fromkeys(names, Shard(0)),
            attributes={"num_groups": self.groups},
        )
        return (*([groups] if self.groups > 1 else ()), *along([same(0)]))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> GroupNorm:
        """With its part of the groups."""
        return replace(self, groups=self.groups // (ranks if way.attributes else 1))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With a cyclic move along space, over which mean and variance are taken; else only along the batch."""
        (x,) = operands
        if not isinstance(x, Moves) or x.axis < 2:
            return (together(operands, [same(0)]),)
        found = gathered(x)
        return (together([x, found], [same(*range(inputs[0].rank)), {}]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        x = inputs[0]
        # Channels of a group are adjacent, so a reshape gathers each group with all its space.
        groups = x.reshape(x.shape[0], self.groups, -1)
        mean, variance = groups.mean(-1, keepdims=True), groups.var(-1, keepdims=True)
        y = ((groups - mean) / np.sqrt(variance + self.eps)).reshape(x.shape)
        p = {name: array.reshape(-1, *(1,) * (x.ndim - 2)) for name, array in parameters.items()}
        y = y * (p["weight"] + self.unit_offset) if self.weight else y
        return (y + p["bias"] if self.bias else y,)

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.GroupNorm`, which supports neither a bias without a weight nor a unit offset."""
        if not self.weight or self.unit_offset:
            return None
        bias = None if self.bias else "False"
        return call("nn.GroupNorm", str(self.groups), str(inputs[0].shape[1]), eps=written_eps(self.eps), bias=bias)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.group_norm`; a bias without a weight is added to it."""
        x, groups, space = inputs[0], str(self.groups), e.types[0].rank - 2
        if self.groups > 1:
            # A part of the channels has fewer groups, of the same size.
            x = named(e, "x", x)
            groups = f"{x}.shape[1] // {e.types[0].shape[1] // self.groups}"
        weight, bias = factor(parameters, self.unit_offset), parameters.get("bias")
        # PyTorch has no gradient of a bias alone.
        normed = call(
            "F.group_norm", x, groups, weight=weight, bias=bias if weight else None, eps=written_eps(self.eps)
        )
        return (f"{normed} + {bias}[:{', None' * space}]" if bias and not weight else normed,)
