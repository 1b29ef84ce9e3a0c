"""What a decoder keeps from step to step, with its types, and the bytes that it takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from archspec.algebra.dim import Dim
from archspec.analyses.cost import BYTES
from archspec.ir.types import TensorType
from archspec.record import record

Kept = Literal["whole", "last", "once"]


@record
class KeptValue:
    """One value of the state of a decoder: an input of the step graph and, where it changes, an output of it.

    `kind` is `whole` (every past position, the entry of position p at index p), `last` (a ring of the last ones, the
    entry of position p at p modulo its length) or `once` (made before the first step, and never changed). The first
    `layers` axes of `type` number layers, the next one the rows; `axis` is the axis of positions, None for `once`.
    `path` is where the full graph computes it, with `*` for the number of a layer; `update` is the output of the step
    that replaces it, None for `once`.
    """

    name: str
    path: str
    kind: Kept
    type: TensorType
    layers: int
    axis: int | None = None
    update: str | None = None

    @property
    def row_bytes(self) -> Dim:
        """Bytes that one row takes whatever its number of positions is; 0 for `whole`."""
        return Dim.of(0) if self.kind == "whole" else self._bytes(self.layers)

    @property
    def position_bytes(self) -> Dim:
        """Bytes that one position of one row takes; 0 unless `whole`."""
        if self.axis is None or self.kind != "whole":
            return Dim.of(0)
        return self._bytes(self.layers, self.axis)

    def _bytes(self, *without: int) -> Dim:
        axes = [size for number, size in enumerate(self.type.shape) if number not in without]
        total = Dim.of(BYTES[self.type.dtype])
        for size in axes:
            total = total * size
        return total


@record
class CacheSize:
    """Bytes of a cache: for each position of a row, and for each row in addition."""

    position: Dim
    row: Dim


def cache_size(state: Iterable[KeptValue]) -> CacheSize:
    """The bytes that a state takes; a float counts 4."""
    position, row = Dim.of(0), Dim.of(0)
    for one in state:
        position, row = position + one.position_bytes, row + one.row_bytes
    return CacheSize(position=position, row=row)
