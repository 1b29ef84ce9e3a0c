"""Pieces of PyTorch source for masks, and the interface that a leaf writes its source with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from archspec.algebra.dim import Dim
from archspec.record import record

COMPARISON, OR, AND, PRIMARY = range(4)
"""How tightly the outermost operator of a piece binds."""


@record(kw_only=False)
class Control:
    """Source of a control operand (a variable name), and its number of axes."""

    source: str
    rank: int


@record(kw_only=False)
class MaskSource:
    """Source of a part of a mask, its number of axes, and the binding strength of its outermost operator.

    The axes are the last ones of [batch, 1, queries, keys], each whole or of size 1. `variable` names the piece where
    it is long enough to be assigned to a variable before it is joined with others.
    """

    source: str
    rank: int
    binding: int = COMPARISON
    variable: str = ""

    def beside(self, binding: int) -> str:
        """The source as an operand of an operator with that binding strength."""
        return self.source if self.binding >= binding else f"({self.source})"


def joined(sign: str, binding: int, terms: Sequence[MaskSource]) -> MaskSource:
    """Terms joined by an operator; comparisons bind less tightly than `&` and `|` in Python and get parentheses."""
    return MaskSource(sign.join(term.beside(binding) for term in terms), max(term.rank for term in terms), binding)


class MaskWriter(Protocol):
    """What a leaf may request while its source is written."""

    @property
    def positions(self) -> str:
        """Name of the key positions, [keys]; assigned where a leaf of the mask `measures` them."""
        ...

    @property
    def distance(self) -> str:
        """Name of query minus key position, [queries, keys]; empty where no leaf `measures` it."""
        ...

    def size(self, dim: Dim) -> str:
        """Source of a size."""
        ...

    def control(self, number: int) -> Control:
        """Source of a control operand."""
        ...
