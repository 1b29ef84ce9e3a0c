"""Pieces of PyTorch source that masks are written of, and what a leaf may ask while it writes one."""

from __future__ import annotations

from typing import Protocol

from archspec.algebra.dim import Dim
from archspec.record import record

COMPARISON, OR, AND, PRIMARY = range(4)
"""How tightly the outermost operator of a piece binds."""


@record(kw_only=False)
class Control:
    """Source of a control operand (a name), and its number of axes."""

    source: str
    rank: int


@record(kw_only=False)
class MaskSource:
    """Source of a part of a mask, its number of axes and how tightly its outermost operator binds.

    The axes are the last ones of [batch, 1, queries, keys], each whole or of size 1. `variable` names the piece where
    it is long enough to be assigned before it is joined with others.
    """

    source: str
    rank: int
    binding: int = COMPARISON
    variable: str = ""

    def beside(self, binding: int) -> str:
        """The source as an operand of an operator that binds so tightly."""
        return self.source if self.binding >= binding else f"({self.source})"


class MaskWriter(Protocol):
    """What a leaf may ask while it is written."""

    @property
    def positions(self) -> str:
        """Name of the key positions, [keys]; made where a leaf of the mask `measures` them."""
        ...

    @property
    def distance(self) -> str:
        """Name of query less key position, [queries, keys]; empty where no leaf `measures` it."""
        ...

    def size(self, dim: Dim) -> str:
        """Source of a size."""
        ...

    def control(self, number: int) -> Control:
        """Source of a control operand."""
        ...
