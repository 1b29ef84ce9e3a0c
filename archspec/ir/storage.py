"""How a parameter is stored: as integers with scales, from which its values are computed where an op reads it.

An op reads numbers, however they are stored. What is proved, counted or split of a graph therefore holds for every way
in which its parameters are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

Bits = Literal[4, 8]
SCALE = "_scale"
"""Scales are stored beside their integers, under the name of these with this ending."""


@record
class Storage:
    """Integers of `bits` bits, symmetric around zero, each with a scale: `value = scale * integer`.

    With `floating` they are not whole: they are the numbers of float8_e4m3fn, in eight bits as well.
    The first `channels` axes have a scale for each of their entries, such as a row of a weight [out, in]. With `block`,
    there is one for each `block` entries of the last axis too, of which it holds a whole number.
    """

    bits: Bits
    channels: int
    block: int | None = None
    floating: bool = False

    @property
    def largest(self) -> int:
        """The largest number; the smallest integer is one below its negative."""
        return 448 if self.floating else int(2 ** (self.bits - 1)) - 1

    def scales(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the scales of a parameter of a shape: axes along which one scale serves all have size 1."""
        kept = (*shape[: self.channels], *(1 for _ in shape[self.channels :]))
        return kept if self.block is None else (*kept[:-1], shape[-1] // self.block)

    def values(self, integers: Array, scales: Array) -> Array:
        """The values, computed in float64; arrays have the shape of the parameter and that of its scales."""
        import numpy as np

        wide = scales.astype(np.float64)
        if self.block is not None:
            wide = np.repeat(wide, self.block, axis=-1)
        found: Array = integers.astype(np.float64) * wide
        return found

    def __str__(self) -> str:
        if self.floating:
            return "fp8"
        return f"int{self.bits}" if self.block is None else f"int{self.bits}:{self.block}"
