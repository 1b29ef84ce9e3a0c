"""Whether a size is zero somewhere in the declared ranges, found by bisection of the ranges."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from archspec.algebra.box import power, times
from archspec.algebra.dim import Dim, Symbol, compare
from archspec.algebra.polynomial import Indeterminate, Terms
from archspec.algebra.quotient import Quotient
from archspec.record import record

_MOST_BOXES = 8192

Box = Mapping[Symbol, tuple[int, int]]
"""Ranges of the symbols, as atoms of polynomials: of `size // multiple`, both ends included."""


@record
class Zeros:
    """Where a size is zero.

    `at` are sizes of the symbols at which it is; None where none were found, and then `decided` says that none exist.
    """

    at: Mapping[str, int] | None = None
    decided: bool = True


def zeros(dim: Dim) -> Zeros:
    """Look for admitted sizes at which a size is zero, or a division inside it is one by zero.

    Ranges in which bounds exclude zero are left, others are halved, the last halves first; exact unless more than
    `_MOST_BOXES` ranges remain to be tried.
    """
    if compare(dim, "==", 0) is False:
        return Zeros()
    boxes: list[dict[Symbol, tuple[int, int]]] = [{symbol: symbol.bounds() for symbol in _in_order(dim)}]
    for _ in range(_MOST_BOXES):
        if not boxes:
            return Zeros()
        box = boxes.pop()
        low, high = _range(dim.terms, box)
        if low > 0 or high < 0:
            continue
        widest = max(box, key=lambda symbol: box[symbol][1] - box[symbol][0], default=None)
        if widest is None or box[widest][0] == box[widest][1]:
            sizes = {symbol.name: at * symbol.multiple for symbol, (at, _) in box.items()}
            if _vanishes(dim, sizes):
                return Zeros(at=sizes)
            continue
        start, end = box[widest]
        middle = (start + end) // 2
        boxes += [{**box, widest: (middle + 1, end)}, {**box, widest: (start, middle)}]
    return Zeros(decided=False)


def _in_order(dim: Dim) -> list[Symbol]:
    return sorted(dim.symbols(), key=lambda symbol: symbol.name)


def _vanishes(dim: Dim, sizes: Mapping[str, int]) -> bool:
    """Whether a size is zero or has no value; the bounds of a remainder are not exact even at one point."""
    try:
        return dim.value(sizes) == 0
    except ZeroDivisionError:
        return True


def _range(terms: Terms, box: Box) -> tuple[int, int]:
    """Bounds of a polynomial over a box by interval arithmetic."""
    low = high = 0
    for monomial, coefficient in terms.items():
        ends = (coefficient, coefficient)
        for atom, group in groupby(monomial):
            ends = times(ends, power(_atom(atom, box), sum(1 for _ in group)))
        low, high = low + ends[0], high + ends[1]
    return low, high


def _atom(atom: Indeterminate, box: Box) -> tuple[int, int]:
    if isinstance(atom, Quotient):
        return atom.between(_range(atom.num, box), _range(atom.den, box))
    assert isinstance(atom, Symbol)
    return box[atom]
