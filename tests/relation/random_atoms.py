"""Random atoms between small spaces, and values for what they mention."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from archspec.algebra.dim import Dim, Symbol
from archspec.relation.atoms import Atom, Difference, Flat, Guard, PrefixBound, Range, Relation, SegmentEquality, Space
from archspec.relation.forms import Form, as_place

N, M, BATCH = Symbol("n", 1, 3, 6), Symbol("m", 2, 3, 5), Symbol("b", 1, 2, 2)
SIZES = (Dim.of(N), Dim.of(N) + 1, Dim.of(M), Dim.of(3), Dim.of(1))
VALID, OTHER, SEGMENTS, LENGTH = "valid", "other", "segments", "length"


def space(r: random.Random) -> Space:
    """A batch, and one or two more coordinates."""
    return (Dim.of(BATCH), *(r.choice(SIZES) for _ in range(r.choice((1, 1, 2)))))


def sizes(r: random.Random) -> dict[str, int]:
    return {symbol.name: r.randint(symbol.min, symbol.max) for symbol in (N, M, BATCH)}


def bound(r: random.Random) -> Dim | None:
    kind = r.random()
    if kind < 0.2:
        return None
    return Dim.of(r.randint(-3, 3)) + (r.choice((Dim.of(N), Dim.of(M))) if kind < 0.35 else 0)


def interval(r: random.Random) -> tuple[Dim | None, Dim | None]:
    if r.random() < 0.4:
        point = bound(r)
        return point, point
    return bound(r), bound(r)


def atom(r: random.Random, out: Space, inp: Space) -> Atom:
    """Constraints of every kind; batch stays with batch in most."""
    differences, ranges, prefixes, guards, segments, flats = [], [], [], [], [], []
    if r.random() < 0.85:
        differences.append(Difference(out=0, inp=0, lo=Dim.of(0), hi=Dim.of(0)))
    for o in range(1, len(out)):
        for j in range(1, len(inp)):
            if r.random() < 0.5:
                a, b = r.choice(((1, 1), (1, 1), (1, 1), (2, 1), (1, 2), (3, 2)))
                lo, hi = interval(r)
                differences.append(Difference(out=o, inp=j, a=a, b=b, lo=lo, hi=hi))
    if r.random() < 0.4:
        lo, hi = interval(r)
        flats.append(Flat(out=form(r, len(out)), inp=form(r, len(inp)), lo=lo, hi=hi))
    for side, coordinates in (("out", len(out)), ("in", len(inp))):
        for k in range(1, coordinates):
            if r.random() < 0.2:
                lo, hi = interval(r)
                ranges.append(Range(side=side, coordinate=k, lo=lo, hi=hi))
            if r.random() < 0.25:
                last = k if r.random() < 0.7 else as_place(form(r, coordinates))
                at = (0, last) if r.random() < 0.7 else (last,)
                key = (r.choice((VALID, OTHER)), len(at))
                offset = r.choice((0, 0, 0, 1, -1, 2))
                guard = Guard(side=side, predicate=key, coordinates=at, offset=offset, negated=r.random() < 0.4)
                guards.append(guard)
    for j in range(1, len(inp)):
        if r.random() < 0.15:
            leading = (0,) if r.random() < 0.7 else ()
            key, offset = j if r.random() < 0.7 else as_place(form(r, len(inp))), r.choice((0, 1, -1))
            prefixes.append(PrefixBound(inp=key, prefix=(LENGTH, len(leading)), leading=leading, offset=offset))
        for o in range(1, len(out)):
            if r.random() < 0.12:
                segments.append(SegmentEquality(segments=(SEGMENTS, 2), out=(0, o), inp=(0, j)))
    return Atom(
        differences=frozenset(differences),
        ranges=frozenset(ranges),
        prefixes=frozenset(prefixes),
        guards=frozenset(guards),
        segments=frozenset(segments),
        flats=frozenset(flats),
    )


def form(r: random.Random, coordinates: int) -> Form:
    """A sum of some coordinates but the batch."""
    strides = (Dim.of(1), Dim.of(1), Dim.of(2), Dim.of(3), Dim.of(M))
    return tuple((k, r.choice(strides)) for k in range(1, coordinates) if r.random() < 0.8)


def relation(r: random.Random, out: Space, inp: Space) -> Relation:
    return Relation(tuple(atom(r, out, inp) for _ in range(r.choice((1, 1, 2, 3)))))


def values(r: random.Random) -> dict[object, NDArray[np.int64]]:
    """What the keys hold: with one axis and with a batch before it, longer than any axis."""
    seed = np.random.default_rng(r.randint(0, 2**20))
    found: dict[object, NDArray[np.int64]] = {}
    for name in (VALID, OTHER):
        found[name, 1] = seed.integers(0, 2, 7)
        found[name, 2] = seed.integers(0, 2, (3, 7))
    found[SEGMENTS, 2] = seed.integers(0, 2, (3, 7))
    found[LENGTH, 0], found[LENGTH, 1] = np.asarray(seed.integers(0, 6)), seed.integers(0, 6, 3)
    return found


def concrete(space: Space, at: dict[str, int]) -> tuple[int, ...]:
    return tuple(size.value(at) for size in space)
