"""Cosines and sines for rotary positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Angles, Motion, Still
from archspec.ir.op import Emitter, Placement, PositionsOf, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, INTEGER, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, beside, free, unread
from archspec.ir.source import call, literal, operand
from archspec.ir.types import TensorType, axis
from archspec.ops.position.rotary_scaling import Scaling
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array

# At least float32: the angles of late positions need more bits than half precision has. Rounded as published models
# round: the last bit of a frequency moves late positions as much as all else that float32 rounds.
FREQUENCIES = '''
def rotary_frequencies(x: Tensor, size: int, base: float) -> Tensor:
    """Angles per position [size / 2] by which pairs of features are rotated, on the device of x."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    steps = torch.arange(0, size, 2, device=x.device, dtype=dtype)
    return 1.0 / base ** (steps / size)
'''
_TABLE = '''
def rotary_table(
    x: Tensor,
    frequencies: Tensor,
    positions: Tensor | None = None,
    magnitude: float = 1.0,
) -> Tensor:
    """Cosines and sines [2, ..., s, r] of positions [..., s], or of the indices of x [..., s, d]."""
    if positions is None:
        positions = torch.arange(x.shape[-2], device=x.device)
    angles = positions[..., None] * frequencies
    return (torch.stack((angles.cos(), angles.sin())) * magnitude).to(x.dtype)
'''


@record
class RotaryTable(Primitive):
    """`cos(p f_i)` and `sin(p f_i)` for position p, with frequencies `f_i = base^(-2i/size)`, i < size/2.

    Operands: a tensor [... s d] that only provides the number of positions and the device, and with `ids` the
    positions [s] or [b s]; without ids, the positions are 0 to s - 1. The result is [2 s size/2] or [2 b 1 s size/2],
    cosines first. `scaling` changes the frequencies. The table is computed in float32 or higher.
    Source: Su et al. 2021, arXiv 2104.09864, section 3.2.
    """

    name = "rotary_table"
    signature = "... s d -> 2 s r"
    acts = "nonlinear"

    size: int
    base: float = 10000.0
    scaling: Scaling | None = None
    ids: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the table. Raises ShapeError for an odd size, or ids over other positions."""
        require(inputs, FLOAT, INTEGER)
        if len(inputs) != 1 + self.ids:
            raise ShapeError("needs an operand that gives the number of positions, and optionally position ids")
        if self.size % 2:
            raise ShapeError(f"rotary features come in pairs, got {self.size}", (0,))
        x, half = inputs[0], axis(self.size // 2)
        if not self.ids:
            return (x.with_axes(2, x.axes[-2], half),)
        ids = inputs[1]
        if not 1 <= ids.rank <= 2 or ids.shape[-1] != x.shape[-2]:
            raise ShapeError(f"ids must match the positions of {x}, got {ids}", (0, 1))
        # The axis of size 1 is that of the heads.
        leading = (ids.axes[0], axis(1)) if ids.rank == 2 else ()
        return (x.with_axes(2, *leading, ids.axes[-1], half),)

    def placed(self, count: int) -> Placement | None:
        """The table of given position ids."""
        if self.ids:
            return Placement(op=self, operands=(0, 1))
        return Placement(op=replace(self, ids=True), operands=(0, PositionsOf(None, 1)))

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The id of the same position, if there are ids; otherwise nothing."""
        if not self.ids:
            return ((NOTHING,),)
        pairs = [(1, 0)] if inputs[1].rank == 1 else [(1, 0), (3, 1)]
        return ((NOTHING, aligned(outputs[0], inputs[1], pairs)),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """With ids by any axis of them; of the other operand only sizes are used."""
        x, sizes = inputs[0], self.scaling.sizes if self.scaling is not None else ()
        axes = [axis for axis in free(x, *sizes) if self.ids or axis != x.rank - 2]
        # Behind the axis of cosines and sines, that of rows is followed by one of the heads.
        places = [{0: 1} if one.rank == 1 else {0: 1, 1: 3} for one in inputs[1:]]
        own = [{k: place[k] for k in free(one, *sizes)} for one, place in zip(inputs[1:], places, strict=True)]
        return tuple(beside([unread(x, axes)], along(own)))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """Not at all: only the number of positions is read. Rows of ids are lost."""
        if self.ids:
            return super().moved(operands, inputs, outputs)
        return (Still(angles=Angles(of=(self.size, self.base, self.scaling))),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        frequencies, magnitude = self.base ** (-2 * np.arange(self.size // 2) / self.size), 1.0
        if self.scaling is not None:
            frequencies = self.scaling.frequencies(frequencies, self.base, sizes)
            magnitude = self.scaling.magnitude
        positions = inputs[1] if self.ids else np.arange(inputs[0].shape[-2])
        # The axis of size 1 is that of the heads.
        if positions.ndim == 2:
            positions = positions[:, None]
        angles = positions[..., None] * frequencies
        return (magnitude * np.stack((np.cos(angles), np.sin(angles))),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Calls of helper functions that compute it in the forward pass, so that no buffer is stored."""
        frequencies = call(e.helper(FREQUENCIES), inputs[0], str(self.size), literal(self.base))
        magnitude = None
        if self.scaling is not None:
            frequencies = e.assign("frequencies", frequencies)
            frequencies = self.scaling.emit(e, frequencies, self.size, self.base)
            magnitude = None if self.scaling.magnitude == 1 else literal(self.scaling.magnitude)
        positions = inputs[1:]
        if self.ids and e.types[1].rank == 2:
            positions = [f"{operand(positions[0])}[:, None]"]
        return (call(e.helper(_TABLE), inputs[0], frequencies, *positions, magnitude=magnitude),)
