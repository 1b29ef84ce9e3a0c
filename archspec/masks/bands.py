"""Bands of keys about the query as relations."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.masks.coordinates import Coordinates
from archspec.relation.atoms import EVERYTHING, ZERO, Atom, Difference, Relation, equal


def band(at: Coordinates, lo: Dim, hi: Dim) -> Relation | None:
    """`lo <= i - j <= hi`; None over positions of several factors, which no such bound can say."""
    if at.apart or len(at.query) != 1 or len(at.key) != 1:
        return None
    difference = Difference(out=at.query[0], inp=at.key[0], lo=lo, hi=hi)
    return Relation((Atom(differences=frozenset({difference})),))


def no_later(at: Coordinates) -> Relation:
    """`j <= i`, over factors in row-major order: the first that differs is smaller, or none differs but the last."""
    if at.apart or len(at.query) != len(at.key):
        return EVERYTHING
    pairs = list(zip(at.query, at.key, strict=True))
    atoms = []
    for place, (out, inp) in enumerate(pairs):
        least = ZERO if place == len(pairs) - 1 else ZERO + 1
        same = [equal(*pair) for pair in pairs[:place]]
        atoms.append(Atom(differences=frozenset([*same, Difference(out=out, inp=inp, lo=least)])))
    return Relation(tuple(atoms))
