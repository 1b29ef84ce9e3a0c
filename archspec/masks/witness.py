"""Witnesses against an entailment: one pair of positions that the first mask allows and the second forbids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product

from archspec.algebra.dim import Dim
from archspec.masks.mask import All, And, Causal, Given, KeyValid, Last, Mask, Or, Prefix, SameSegment, Within
from archspec.masks.walk import controls, leaves

_MOST_CONTROLS = 8
Facts = frozenset[int]
"""Controls that hold at the pair: a valid key, one segment, inside the prefix."""


def refuted(left: Mask, right: Mask) -> bool:
    """Whether some pair, at some admitted sizes and values of the controls, is in `left` alone.

    The pairs tried stand at the edges of all windows and prefixes, so that few are needed.
    """
    names = sorted({*controls(left), *controls(right)})
    if len(names) > _MOST_CONTROLS:
        return False
    facts = [frozenset(chosen) for count in range(len(names) + 1) for chosen in combinations(names, count)]
    return any(
        _allows(left, i, j, sizes, held) and not _allows(right, i, j, sizes, held)
        for sizes in _sizes(left, right)
        for i, j in _pairs(left, right, sizes)
        for held in facts
    )


def _dims(*masks: Mask) -> Iterator[Dim]:
    for mask in masks:
        for leaf in leaves(mask):
            match leaf:
                case Last(count=size) | Within(distance=size) | Prefix(length=Dim() as size):
                    yield size
                case _:
                    pass


def _sizes(*masks: Mask) -> Iterator[dict[str, int]]:
    """Every mixture of least and greatest sizes."""
    symbols = sorted({s for dim in _dims(*masks) for s in dim.symbols()}, key=lambda symbol: symbol.name)
    for ends in product(*((symbol.min, symbol.max) for symbol in symbols)):
        yield dict(zip((symbol.name for symbol in symbols), ends, strict=True))


def _pairs(left: Mask, right: Mask, sizes: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    edges = {0, *(dim.value(sizes) for dim in _dims(left, right))}
    near = sorted({edge + step for edge in edges for step in (-1, 0, 1)})
    for ahead in {sign * distance for distance in near for sign in (1, -1)}:
        for j in near:
            if j >= 0 and j - ahead >= 0:
                yield j - ahead, j
        yield max(0, -ahead), max(0, ahead)


def _allows(mask: Mask, i: int, j: int, sizes: Mapping[str, int], held: Facts) -> bool:
    match mask:
        case All():
            return True
        case And(terms=terms):
            return all(_allows(term, i, j, sizes, held) for term in terms)
        case Or(terms=terms):
            return any(_allows(term, i, j, sizes, held) for term in terms)
        case Causal():
            return j <= i
        case Last(count=count):
            return 0 <= i - j < count.value(sizes)
        case Within(distance=distance):
            return abs(i - j) <= distance.value(sizes)
        case KeyValid(control=control) | Prefix(control=int(control)):
            return control in held
        case SameSegment(control=control):
            return i == j or control in held
        case Prefix(length=Dim() as length):
            return j < length.value(sizes)
        case Given(control=control):
            return control in held
        case _:
            raise TypeError(f"not a mask: {mask!r}")
