"""A learned scale and shift of the last axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.init import Init
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Partial, Placement, Shard, Sharding
from archspec.ir.sharded import along
from archspec.ir.signature import bind
from archspec.ir.source import operand
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Affine(Primitive):
    """`y = scale * x + shift` over the last axis; either part is optional.

    Parameters: `scale` [d], initialised by `init` (ones if it is None), and `shift` [d], initialised to zeros.
    """

    name = "affine"
    signature = "... d -> ... d"
    anywhere = True
    acts = "affine"

    scale: bool = True
    shift: bool = True
    init: Init | None = None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand."""
        require(inputs, FLOAT)
        bind(self.signature, inputs)
        return (inputs[0].with_axes(*inputs[0].axes),)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The scale and the shift, if requested."""
        features = inputs[0].with_axes(inputs[0].shape[-1])
        specs = {"scale": ParameterSpec(type=features, role="scale", init=self.init)} if self.scale else {}
        return specs | ({"shift": ParameterSpec(type=features, role="bias")} if self.shift else {})

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position."""
        return ((aligned(outputs[0], inputs[0], [(k, k) for k in range(inputs[0].rank)]),),)

    def _own(self, placements: Mapping[str, Placement]) -> Mapping[str, Placement]:
        """The placements of the parameters that there are."""
        there = {"scale": self.scale, "shift": self.shift}
        return {name: placement for name, placement in placements.items() if there[name]}

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By features, by any other axis, or in terms."""
        last = inputs[0].rank - 1
        by_features = {"scale": Shard(0), "shift": Shard(0)}
        return (
            Sharding(operands=(Shard(last),), results=(Shard(last),), parameters=self._own(by_features)),
            Sharding(operands=(Partial(),), results=(Partial(),), parameters=self._own({"shift": Partial()})),
            *along([same(*range(last))]),
        )

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; what moves along the last axis is read as a whole."""
        return (together(operands, [same(*range(inputs[0].rank - 1))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        y = inputs[0] * parameters["scale"] if self.scale else inputs[0]
        return (y + parameters["shift"] if self.shift else y,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`x * scale + shift`."""
        parts = [operand(inputs[0])]
        parts += [f"* {parameters['scale']}"] if self.scale else []
        parts += [f"+ {parameters['shift']}"] if self.shift else []
        return (" ".join(parts),)
