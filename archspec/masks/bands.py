"""Bands of keys around the query, as relations."""

from __future__ import annotations

from functools import reduce

from archspec.algebra.dim import Dim
from archspec.masks.coordinates import Coordinates
from archspec.relation.atoms import EVERYTHING, ZERO, Relation, apart
from archspec.relation.meet import meet


def band(at: Coordinates, lo: Dim, hi: Dim) -> Relation | None:
    """`lo <= i - j <= hi`; None where a side has several places, or positions are not compared."""
    if at.apart or len(at.query) != 1 or len(at.key) != 1:
        return None
    return Relation((apart(at.query[0], at.key[0], lo, hi),))


def no_later(at: Coordinates) -> Relation:
    """`j <= i`, in row-major order: at the first factor that differs j is smaller, or only the last one may differ."""
    if at.apart or len(at.query) != len(at.key):
        # Sides that are not compared, or factored differently, are not restricted: sound, as a relation may be too
        # wide.
        return EVERYTHING
    pairs = list(zip(at.query, at.key, strict=True))
    found = []
    for place, pair in enumerate(pairs):
        least = ZERO if place == len(pairs) - 1 else ZERO + 1
        same = [apart(*before, ZERO, ZERO) for before in pairs[:place]]
        found.append(reduce(meet, (Relation((atom,)) for atom in (*same, apart(*pair, least, None)))))
    return reduce(Relation.__or__, found)
