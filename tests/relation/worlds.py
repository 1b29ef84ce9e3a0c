"""Random relations over two output and two input coordinates, and what they mean, pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from archspec.algebra.dim import Dim, Symbol
from archspec.relation.atoms import Atom, Difference, Guard, PrefixBound, Range, Relation, SegmentEquality

SIZE = Symbol("n", 1, 2, 3)
OUT, INP = (2, 4), (2, 4)
Controls = Mapping[str, NDArray[np.int64]]

_ends = st.one_of(st.none(), st.integers(-3, 3).map(Dim.of), st.integers(-1, 1).map(lambda shift: Dim.of(SIZE) + shift))
_coordinate = st.sampled_from([0, 1])
_scale = st.sampled_from([1, 1, 1, 2])
_differences = st.builds(Difference, out=_coordinate, inp=_coordinate, a=_scale, b=_scale, lo=_ends, hi=_ends)
_ranges = st.builds(Range, side=st.sampled_from(["out", "in"]), coordinate=_coordinate, lo=_ends, hi=_ends)
_prefixes = st.builds(
    PrefixBound, inp=st.just(1), prefix=st.just("length"), leading=st.just((0,)), offset=st.integers(-1, 2)
)
_guards = st.builds(
    Guard,
    side=st.sampled_from(["out", "in"]),
    predicate=st.just("valid"),
    coordinates=st.just((0, 1)),
    offset=st.integers(-1, 1),
    negated=st.booleans(),
)
_segments = st.builds(SegmentEquality, segments=st.just("segments"), out=st.just((0, 1)), inp=st.just((0, 1)))


def _sets(items: st.SearchStrategy, most: int) -> st.SearchStrategy:
    return st.frozensets(items, max_size=most)


def atoms() -> st.SearchStrategy[Atom]:
    return st.builds(
        Atom,
        differences=_sets(_differences, 2),
        ranges=_sets(_ranges, 2),
        prefixes=_sets(_prefixes, 1),
        guards=_sets(_guards, 2),
        segments=_sets(_segments, 1),
    )


def relations() -> st.SearchStrategy[Relation]:
    return st.lists(atoms(), max_size=2).map(lambda found: Relation(tuple(found)))


@st.composite
def controls(draw: Callable) -> Controls:
    seed = np.random.default_rng(draw(st.integers(0, 2**16)))
    return {
        "valid": seed.integers(0, 2, INP),
        "segments": seed.integers(0, 2, INP),
        "length": seed.integers(0, INP[1] + 1, INP[:1]),
    }


def table(relation: Relation, values: Controls, n: int) -> NDArray[np.bool_]:
    """The relation by its definition: bool [out coordinates, in coordinates]."""
    result = np.zeros((*OUT, *INP), dtype=bool)
    for place in product(*(range(size) for size in result.shape)):
        i, j = place[:2], place[2:]
        result[place] = any(holds(atom, {"out": i, "in": j}, values, n) for atom in relation.atoms)
    return result


def holds(atom: Atom, at: Mapping[str, tuple[int, ...]], values: Controls, n: int) -> bool:
    i, j = at["out"], at["in"]
    return (
        all(_between(d.lo, d.a * i[d.out] - d.b * j[d.inp], d.hi, n) for d in atom.differences)
        and all(_between(r.lo, at[r.side][r.coordinate], r.hi, n) for r in atom.ranges)
        and all(j[p.inp] < values[p.prefix][j[0]] + p.offset for p in atom.prefixes)
        and all(_guarded(g, at[g.side], values) for g in atom.guards)
        and all(values[s.segments][i] == values[s.segments][j] for s in atom.segments)
    )


def _between(lo: Dim | None, x: int, hi: Dim | None, n: int) -> bool:
    return (lo is None or lo.value({"n": n}) <= x) and (hi is None or x <= hi.value({"n": n}))


def _guarded(guard: Guard, index: tuple[int, ...], values: Controls) -> bool:
    row, last = index[0], index[1] + guard.offset
    return 0 <= last < INP[1] and bool(values["valid"][row, last]) is not guard.negated
