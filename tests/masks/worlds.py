"""Random masks over controls of known kinds, and what they mean, written out pair by pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from archspec.algebra.dim import Dim, Symbol
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.query_valid import QueryValid
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.mask import And, Mask, Or, both, either

SIZE = Symbol("n", 1, 4, 6)
VALID, OTHER_VALID, SEGMENTS, LENGTH = range(4)


@dataclass(frozen=True, kw_only=True)
class World:
    """Values of the controls: two bool ones, segment ids and a prefix length; with a batch axis or without."""

    positions: int
    batched: bool
    controls: tuple[NDArray[np.int64], ...]
    sizes: dict[str, int]

    @property
    def batch(self) -> int:
        return len(self.controls[LENGTH]) if self.batched else 1


def dims() -> st.SearchStrategy[Dim]:
    return st.sampled_from([Dim.of(k) for k in (1, 2, 3)] + [Dim.of(SIZE), Dim.of(SIZE) - 1 + 1, Dim.of(SIZE) + 1])


def atoms() -> st.SearchStrategy[Mask]:
    return st.one_of(
        st.sampled_from([All(), Causal(), SameSegment(SEGMENTS)]),
        st.sampled_from([kind(control) for kind in (KeyValid, QueryValid) for control in (VALID, OTHER_VALID)]),
        dims().map(Last),
        st.one_of(st.just(Dim.of(0)), dims()).map(Within),
        st.just(Prefix(control=LENGTH)),
        dims().map(lambda length: Prefix(length=length)),
    )


def masks() -> st.SearchStrategy[Mask]:
    return st.recursive(
        atoms(), lambda inner: st.one_of(st.builds(both, inner, inner), st.builds(either, inner, inner)), max_leaves=5
    )


@st.composite
def worlds(draw: Callable, positions: int | None = None) -> World:
    count = positions or draw(st.integers(1, 5))
    batched = draw(st.booleans())
    shape = (draw(st.integers(1, 3)), count) if batched else (count,)
    seed = np.random.default_rng(draw(st.integers(0, 2**16)))
    values = (seed.integers(0, 2, shape).astype(bool), seed.integers(0, 2, shape).astype(bool))
    lengths = seed.integers(0, count + 1, shape[:-1])
    controls = (*values, seed.integers(0, 3, shape), np.asarray(lengths))
    return World(
        positions=count, batched=batched, controls=controls, sizes={"n": draw(st.integers(SIZE.min, SIZE.max))}
    )


def means(mask: Mask, i: int, j: int, batch: int, world: World) -> bool:
    """The definitions of LANGUAGE, one pair at a time."""
    row = [c[batch] if world.batched else c for c in world.controls]
    match mask:
        case All():
            return True
        case Causal():
            return j <= i
        case Last(count=count):
            return i - count.value(world.sizes) < j <= i
        case Within(distance=distance):
            return abs(i - j) <= distance.value(world.sizes)
        case KeyValid(control=control):
            return bool(row[control][j])
        case QueryValid(control=control):
            return bool(row[control][i])
        case SameSegment(control=control):
            return bool(row[control][i] == row[control][j])
        case Prefix(length=None, control=int(control)):
            return bool(j < row[control])
        case Prefix(length=Dim() as length):
            return j < length.value(world.sizes)
        case And(terms=terms):
            return all(means(term, i, j, batch, world) for term in terms)
        case Or(terms=terms):
            return any(means(term, i, j, batch, world) for term in terms)
    raise TypeError(mask)


def table(mask: Mask, world: World) -> NDArray[np.bool_]:
    """`means` for every batch element and pair: bool [batch, query, key]."""
    positions = range(world.positions)
    rows = [[[means(mask, i, j, b, world) for j in positions] for i in positions] for b in range(world.batch)]
    return np.array(rows, dtype=bool)
