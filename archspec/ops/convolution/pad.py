"""Padding of the spatial axes of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product as combinations
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import same_coordinates
from archspec.ir.motion import Motion, Moves, lost
from archspec.ir.moving import same, together, windowed
from archspec.ir.op import Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, summed
from archspec.ir.source import call
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import Atom, Difference, Relation, equal

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Pad(Primitive):
    """Add `before` and `after` positions along each spatial axis: zeros or, if `circular`, values from the other end.

    `y[b, c, i] = x[b, c, i - before]`; if `circular`, the index is taken modulo the size.
    """

    name = "pad"
    signature = "b c ... -> b c ..."
    anywhere = True
    acts = "affine"
    reads_more = "spatial axes with several factors are not tracked"

    before: tuple[int, ...]
    after: tuple[int, ...]
    circular: bool = False

    @property
    def wraps(self) -> bool:
        """Where it is circular."""
        return self.circular

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Longer spatial axes. Raises ShapeError if circular padding is longer than the axis."""
        require(inputs, FLOAT)
        x = inputs[0]
        if x.rank != 2 + len(self.before):
            raise ShapeError(f"needs batch, channels and {len(self.before)} spatial axes, got {x}", (0,))
        for size, before, after in zip(x.shape[2:], self.before, self.after, strict=True):
            # PyTorch refuses circular padding that wraps around more than once.
            if self.circular and compare(size, ">=", max(before, after)) is not True:
                raise ShapeError(f"circular padding of {max(before, after)} may exceed an axis of size {size}", (0,))
        # An axis without padding keeps its factors.
        pads = zip(x.axes[2:], self.before, self.after, strict=True)
        return (x.with_axes(*x.axes[:2], *(axis.size + (b + a) if b + a else axis for axis, b, a in pads)),)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same row and channel; in space the position shifted by the padding, wrapped around if circular."""
        x, y = inputs[0], outputs[0]
        fixed = frozenset(same_coordinates(y, x, [(0, 0), (1, 1)]))
        axes = [self._places(x, y, k) for k in range(len(self.before))]
        return ((Relation(tuple(Atom(differences=fixed | set().union(*one)) for one in combinations(*axes))),),)

    def _places(self, x: TensorType, y: TensorType, k: int) -> list[frozenset[Difference]]:
        """The differences of positions along space axis `k`, one set per possible shift."""
        if len(x.axes[2 + k].factors) > 1:
            same = same_coordinates(y, x, [(2 + k, 2 + k)]) if y.axes[2 + k] == x.axes[2 + k] else ()
            return [frozenset(same)]
        out, inp = y.coordinates[2 + k][0], x.coordinates[2 + k][0]
        shifts = [Dim.of(self.before[k])]
        if self.circular:
            # A padded position reads one from the other end: the same shift, plus or minus the size.
            size = x.shape[2 + k]
            shifts += [shifts[0] - size] * bool(self.before[k]) + [shifts[0] + size] * bool(self.after[k])
        return [frozenset({equal(out, inp, shift)}) for shift in shifts]

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows, channels, or space that is not padded; in terms."""
        space = (k for k, pads in enumerate(zip(self.before, self.after, strict=True), 2) if not any(pads))
        return (*along([same(0, 1, *space)]), *summed(inputs))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand; a cyclic move is kept where the padding continues a whole period."""
        (x,) = operands
        if not isinstance(x, Moves) or x.axis < 2 or not (self.before[x.axis - 2] or self.after[x.axis - 2]):
            space = (k for k, pads in enumerate(zip(self.before, self.after, strict=True), 2) if not any(pads))
            return (together(operands, [same(0, 1, *space)], copies=True),)
        if not x.is_alone:
            return (lost("pads an axis that holds more than what moves"),)
        padding = (self.before[x.axis - 2], self.after[x.axis - 2])
        size = outputs[0].shape[x.axis]
        if x.move.circular and self.circular:
            return (replace(x if x.is_whole else x.breaks("continues a part of what moves cyclically"), size=size),)
        return (windowed(x, size, reach=1, stride=1, padding=padding),)

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """The operand, where a spatial axis has factors."""
        return super().loose(inputs) if any(len(axis.factors) > 1 for axis in inputs[0].axes[2:]) else {}

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """`numpy.pad`."""
        import numpy as np

        pads = [(0, 0), (0, 0), *zip(self.before, self.after, strict=True)]
        return (np.pad(inputs[0], pads, mode="wrap") if self.circular else np.pad(inputs[0], pads),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.pad`, whose padding sizes start at the last axis."""
        pairs = zip(reversed(self.before), reversed(self.after), strict=True)
        pads = ", ".join(str(number) for pair in pairs for number in pair)
        return (call("F.pad", inputs[0], f"({pads})", mode='"circular"' if self.circular else None),)
