"""Interpolation of the spatial axes of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import same_coordinates
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import resampled, same, together
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, free, summed
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.ops.position.interpolation import Interpolation, interpolation_weights
from archspec.record import record
from archspec.relation.atoms import Atom, Difference, Relation, equal

if TYPE_CHECKING:
    from archspec.ir.op import Array

_FAR: Mapping[Interpolation, int] = {"linear": 1, "cubic": 2}
"""The distance from the centre at which, and behind which, a position has no weight."""
_NEAREST = '''
def resize_nearest(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize the axes of x [b, c, ...] behind the channels: position i takes floor(i * old / new)."""
    for axis, new in enumerate(size, 2):
        # In whole numbers: a quotient in float32 may fall below the whole number that it is.
        places = torch.arange(new, device=x.device) * x.shape[axis] // new
        x = x.index_select(axis, places)
    return x
'''


@record
class Resize(Primitive):
    """Resize the spatial axes to `sizes`: each position is a weighted sum of those around `(i + 1/2)*old/new - 1/2`.

    `nearest` takes `floor(i*old/new)`; `linear` weighs the two positions around it, `cubic` four. Corners are not
    aligned, nothing is smoothed before, and the border is repeated outside, as in PyTorch's `interpolate`.
    Source: cubic convolution: Keys 1981, with a = -0.75.
    """

    name = "resize"
    signature = "b c ... -> b c ..."
    anywhere = True
    acts = "affine"
    reads_more = (
        "axes with several factors, or whose old and new sizes have no constant ratio, are not tracked; where both "
        "numbers of the ratio are odd, some positions have neighbours of weight 0"
    )

    mode: Interpolation
    sizes: tuple[Dim, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The new sizes. Raises ShapeError for another number of axes, or a cubic resize of a signal."""
        require(inputs, FLOAT)
        x, space = inputs[0], len(self.sizes)
        if x.rank != 2 + space:
            raise ShapeError(f"needs batch, channels and {space} spatial axes, got {x}", (0,))
        if self.mode == "cubic" and space != 2:
            raise ShapeError(f"cubic interpolation needs two spatial axes, got {x}", (0,))
        pairs = zip(x.axes[2:], self.sizes, strict=True)
        # An axis that keeps its size keeps its factors.
        return (x.with_axes(*x.axes[:2], *(old if old.size == new else new for old, new in pairs)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same row and channel, and the positions of the interpolation."""
        x, y = inputs[0], outputs[0]
        found = set(same_coordinates(y, x, [(0, 0), (1, 1)]))
        for axis in range(2, x.rank):
            if x.axes[axis] == y.axes[axis]:
                found |= set(same_coordinates(y, x, [(axis, axis)]))
            elif len(x.axes[axis].factors) == 1:
                out, inp = y.coordinates[axis][0], x.coordinates[axis][0]
                found |= self._taps(out, inp, x.shape[axis], y.shape[axis])
        return ((Relation((Atom(differences=frozenset(found)),)),),)

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """The operand, where an axis that changes has factors, or sizes whose ratio is not known or of odd numbers."""
        changed = [(old, new) for old, new in zip(inputs[0].axes[2:], self.sizes, strict=True) if old.size != new]
        exact = all(len(old.factors) == 1 and self._is_exact(_ratio(old.size, new)) for old, new in changed)
        return {} if exact else super().loose(inputs)

    def _is_exact(self, ratio: Fraction | None) -> bool:
        """Whether every tap of the bound has a weight for sizes of this ratio."""
        if ratio is None:
            return False
        return self.mode == "nearest" or ratio == 1 or ratio.numerator * ratio.denominator % 2 == 0

    def _taps(self, out: int, inp: int, old: Dim, new: Dim) -> set[Difference]:
        """The bound on `p*i - q*j` for sizes of the ratio p/q; none if no ratio holds at all sizes."""
        ratio = _ratio(old, new)
        if ratio is None:
            return set()
        p, q = ratio.numerator, ratio.denominator
        if p == q:
            return {equal(out, inp)}
        if self.mode == "nearest":
            # j = floor(p*i / q)
            return {Difference(out=out, inp=inp, a=p, b=q, lo=Dim.of(0), hi=Dim.of(q - 1))}
        # The centre c is (p*(2*i + 1) - q) / (2*q), and taps are at distances of at most `far`: |c - j| <= far.
        far = _FAR[self.mode]
        low, high = -((2 * far * q + p - q) // 2), (2 * far * q - p + q) // 2
        return {Difference(out=out, inp=inp, a=p, b=q, lo=Dim.of(low), hi=Dim.of(high))}

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows or channels; in terms."""
        kept = (k for k in free(inputs[0], *self.sizes) if k < 2)
        return (*along([same(*kept)]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, as many times as far as the axis grows."""
        (x,) = operands
        if not isinstance(x, Moves) or x.axis < 2:
            return (together(operands, [same(0, 1)]),)
        new = outputs[0].shape[x.axis]
        ratio = _ratio(inputs[0].shape[x.axis], new)
        if ratio is None:
            return (lost("interpolates between positions at distances that depend on the size"),)
        if ratio == 1:
            return (x,)
        field, is_beyond = self._field(ratio)
        border = "repeats what stands at the ends of the axis"
        return (resampled(x, new, ratio=ratio, field=field, beyond=(is_beyond, is_beyond), border=border),)

    def _field(self, ratio: Fraction) -> tuple[tuple[Fraction, Fraction], bool]:
        """Between which distances from `ratio * i` position i reads, and whether the first and the last read beyond.

        Both ends are alike.
        """
        q = ratio.denominator
        if self.mode == "nearest":
            return (Fraction(1 - q, q), Fraction(0)), False
        # From the centre, which is at a multiple of 1/(2q), a tap of that distance has weight 0.
        centre, far = (ratio - 1) / 2, _FAR[self.mode]
        within = far - Fraction(1, 2 * q)
        return (centre - within, centre + within), floor(centre - far) + 1 < 0

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """A product with a matrix of weights along each axis."""
        import numpy as np

        x = inputs[0]
        for axis, size in enumerate(self.sizes, 2):
            weights = interpolation_weights(x.shape[axis], size.value(sizes), self.mode)
            x = np.moveaxis(np.tensordot(x, weights, ([axis], [1])), -1, axis)
        return (x,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.interpolate`; a helper for `nearest`, because a quotient of floats may be rounded to another position."""
        size = f"({', '.join(map(e.size, self.sizes))}{',' * (len(self.sizes) == 1)})"
        if self.mode == "nearest":
            return (call(e.helper(_NEAREST), inputs[0], size),)
        # PyTorch names a mode by the number of axes: `linear`, but `bilinear` and `bicubic`.
        mode = f"bi{self.mode}" if len(self.sizes) == 2 else self.mode
        return (call("F.interpolate", inputs[0], size=size, mode=f'"{mode}"', align_corners="False"),)


def _ratio(old: Dim, new: Dim) -> Fraction | None:
    """`old/new` where it is the same at all sizes, else None."""
    # If one ratio holds at all sizes, it is that of the typical ones.
    ratio = Fraction(old.typical(), new.typical())
    return ratio if compare(old * ratio.denominator, "==", new * ratio.numerator) is True else None
