"""The base of ops that round at scales which a calibration chooses."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import ParameterSpec
from archspec.ir.placement import Shard, Sharding
from archspec.ir.types import DType, TensorType, axis
from archspec.ops.elementwise.elementwise import Elementwise


class Scaled(Elementwise):
    """An op on each element of one tensor, with a buffer `scale`: [], or with an entry for each one of some axes."""

    @property
    def scaled(self) -> tuple[int, ...]:
        """The axes whose entries have scales of their own."""
        return ()

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The scale."""
        return {"scale": ParameterSpec(type=scale_type(inputs[0], self.scaled), role="range")}

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis, with the scales of its entries."""
        first = min(self.scaled, default=0)
        scales = {number: {"scale": Shard(number - first)} for number in self.scaled}
        parts = [(Shard(number),) for number in range(inputs[0].rank)]
        return [Sharding(operands=p, results=p, parameters=scales.get(k, {})) for k, p in enumerate(parts)]

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, along axes that share a scale."""
        return (together(operands, [same(*(k for k in range(inputs[0].rank) if k not in self.scaled))]),)


def scale_type(x: TensorType, axes: Sequence[int]) -> TensorType:
    """The type of scales, one for each entry of some axes: of size 1 on the others behind the first of these."""
    kept = range(min(axes), x.rank) if axes else ()
    return TensorType.of(DType.FLOAT, *(x.axes[one] if one in axes else axis(1) for one in kept))
