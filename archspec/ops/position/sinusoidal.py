"""Sines and cosines of positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import compare
from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion, Still
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, Placement, PositionsOf, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, INTEGER, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, beside, free, unread
from archspec.ir.signature import bind
from archspec.ir.source import call, literal
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import NOTHING

if TYPE_CHECKING:
    from archspec.ir.op import Array

# With `endpoint` and one frequency there is no step between two: `max` keeps the divisor from 0.
_HELPER = '''
def sinusoidal_positions(
    x: Tensor, base: float, halves: bool = False, endpoint: bool = False
) -> Tensor:
    """Sines and cosines [s, d] of the positions of x [..., s, d]."""
    length, half = x.shape[-2], x.shape[-1] // 2
    dtype = torch.promote_types(x.dtype, torch.float32)
    steps = torch.arange(half, device=x.device, dtype=dtype)
    frequencies = base ** (-steps / (max(half - 1, 1) if endpoint else half))
    angles = torch.arange(length, device=x.device, dtype=dtype)[:, None] * frequencies
    if halves:
        waves = torch.cat((angles.sin(), angles.cos()), dim=1)
    else:
        waves = torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)
    return waves.to(x.dtype)
'''
_PLACED = '''
def sinusoidal_at(
    x: Tensor,
    positions: Tensor,
    base: float,
    halves: bool = False,
    endpoint: bool = False,
) -> Tensor:
    """Sines and cosines [..., s, d] of positions [..., s], for d features of x."""
    half = x.shape[-1] // 2
    dtype = torch.promote_types(x.dtype, torch.float32)
    steps = torch.arange(half, device=x.device, dtype=dtype)
    frequencies = base ** (-steps / (max(half - 1, 1) if endpoint else half))
    angles = positions[..., None].to(dtype) * frequencies
    if halves:
        waves = torch.cat((angles.sin(), angles.cos()), dim=-1)
    else:
        waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)
    return waves.to(x.dtype)
'''


@record
class SinusoidalPositions(Primitive):
    """`sin(s * f_i)` and `cos(s * f_i)` for position s, with frequencies `f_i = base^(-2i/d)`, i < d/2.

    The layout `interleaved` puts the sine and cosine of each frequency side by side, `halves` puts all sines first.
    `endpoint` makes the lowest frequency exactly 1/base: `f_i = base^(-i/(d/2 - 1))`. The operand only provides the
    sizes. The result is computed in float32 or higher. The number of features must be even. With
    `ids` a second operand gives the positions [... s].
    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.5; `halves` and `endpoint` as in tensor2tensor.
    """

    name = "sinusoidal"
    signature = "... s d -> s d"
    acts = "nonlinear"

    base: Scalar | float = 10000.0
    layout: Literal["interleaved", "halves"] = "interleaved"
    endpoint: bool = False
    ids: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The positions and features of the operand. Raises ShapeError for an odd number of features."""
        require(inputs, FLOAT, INTEGER)
        features = bind(self.signature, inputs[:1]).size("d")
        if compare(features % 2, "==", 0) is not True:
            raise ShapeError(f"sines and cosines come in pairs, got {features} features", (0,))
        positions = inputs[1].axes if self.ids else (inputs[0].axes[-2],)
        return (inputs[0].with_axes(*positions, inputs[0].axes[-1]),)

    def placed(self, count: int) -> Placement | None:
        """The sines and cosines of given positions."""
        return Placement(op=replace(self, ids=True), operands=(0, PositionsOf(None, 0)))

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The id of the same position, if there are ids; otherwise nothing: only sizes are used."""
        ids = inputs[1:]
        return ((NOTHING, *(aligned(outputs[0], x, [(k, k) for k in range(x.rank)]) for x in ids)),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """With ids by any axis of them; of the other operand only sizes are used."""
        x, numbers = inputs[0], [self.base] if isinstance(self.base, Scalar) else []
        axes = [axis for axis in free(x, *numbers) if axis < x.rank - (1 if self.ids else 2)]
        return tuple(beside([unread(x, axes)], along([same(*free(one, *numbers)) for one in inputs[1:]])))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the ids, where there are any; else not at all, since only sizes are read."""
        return (together(operands[1:], [same(*range(one.rank)) for one in inputs[1:]]) if self.ids else Still(),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula, position by position."""
        import numpy as np

        length, features = inputs[0].shape[-2:]
        base = self.base.evaluate(sizes) if isinstance(self.base, Scalar) else self.base
        steps = np.arange(features // 2) / (max(features // 2 - 1, 1) if self.endpoint else features // 2)
        positions = inputs[1] if self.ids else np.arange(length)
        angles = positions[..., None] * base**-steps
        waves = np.stack((np.sin(angles), np.cos(angles)), axis=-2 if self.layout == "halves" else -1)
        return (waves.reshape(*positions.shape, features),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function that computes them in the forward pass, so that no buffer is stored."""
        base = e.number(self.base) if isinstance(self.base, Scalar) else literal(self.base)
        halves = "True" if self.layout == "halves" else None
        endpoint = "True" if self.endpoint else None
        helper = e.helper(_PLACED if self.ids else _HELPER)
        return (call(helper, *inputs, base, halves=halves, endpoint=endpoint),)
