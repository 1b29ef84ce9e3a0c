"""Sines and cosines of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import call, literal
from archspec.ir.types import TensorType, axis
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array

# With `endpoint` and one frequency there is no step between two: `max` keeps the divisor from 0.
_HELPER = '''
def sinusoids(
    x: Tensor,
    features: int,
    base: float,
    halves: bool = False,
    cosine_first: bool = False,
    endpoint: bool = False,
) -> Tensor:
    """Sines and cosines [..., features] of numbers x [...]."""
    half = features // 2
    dtype = torch.promote_types(x.dtype, torch.float32)
    steps = torch.arange(half, device=x.device, dtype=dtype)
    frequencies = base ** (-steps / (max(half - 1, 1) if endpoint else half))
    angles = x[..., None].to(dtype) * frequencies
    waves = [angles.sin(), angles.cos()]
    if cosine_first:
        waves.reverse()
    if halves:
        return torch.cat(waves, dim=-1).to(x.dtype)
    return torch.stack(waves, dim=-1).flatten(-2).to(x.dtype)
'''


@record
class Sinusoids(Primitive):
    """`sin(x * f_i)` and `cos(x * f_i)` of a number x, with frequencies `f_i = base^(-2i/d)`, i < d/2.

    The layout `interleaved` puts the sine and cosine of each frequency side by side, `halves` puts all of one before
    those of the other; `first` is the one that comes first. `endpoint` makes the lowest frequency exactly 1/base:
    `f_i = base^(-i/(d/2 - 1))`. The result is computed in float32 or higher. The number of features must be even.
    Source: Ho et al. 2020, arXiv 2006.11239, appendix B: the time of a diffusion as a position of a Transformer.
    """

    name = "sinusoids"
    signature = "... -> ... d"
    anywhere = True
    acts = "nonlinear"

    features: int
    base: float = 10000.0
    layout: Literal["interleaved", "halves"] = "interleaved"
    first: Literal["sine", "cosine"] = "sine"
    endpoint: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The axes of the numbers, followed by the features. Raises ShapeError for an odd number of features."""
        require(inputs, FLOAT)
        if self.features % 2:
            raise ShapeError(f"sines and cosines come in pairs, got {self.features} features", (0,))
        return (inputs[0].with_axes(*inputs[0].axes, axis(self.features)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The number at the same position."""
        return ((identity(count(inputs[0].axes)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By any axis of the numbers."""
        return tuple(along([same(*range(inputs[0].rank))]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the numbers."""
        return (together(operands, [same(*range(inputs[0].rank))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula, number by number."""
        import numpy as np

        half = self.features // 2
        steps = np.arange(half) / (max(half - 1, 1) if self.endpoint else half)
        angles = inputs[0][..., None] * self.base**-steps
        waves = (np.sin(angles), np.cos(angles)) if self.first == "sine" else (np.cos(angles), np.sin(angles))
        pairs = np.stack(waves, axis=-2 if self.layout == "halves" else -1)
        return (pairs.reshape(*inputs[0].shape, self.features),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function that computes them in the forward pass."""
        halves = "True" if self.layout == "halves" else None
        first = "True" if self.first == "cosine" else None
        endpoint = "True" if self.endpoint else None
        source = call(
            e.helper(_HELPER),
            inputs[0],
            str(self.features),
            literal(self.base),
            halves=halves,
            cosine_first=first,
            endpoint=endpoint,
        )
        return (source,)
