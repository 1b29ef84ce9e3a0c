"""Relations as boolean matrices at given sizes and operand values.

This is the exact meaning of a relation, without any of the approximations of composition and entailment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.algebra.dim import Dim
from archspec.relation.atoms import Atom, Guard, Key, PrefixBound, Relation, SegmentEquality
from archspec.relation.forms import Place, index_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def matrix(
    relation: Relation,
    out_sizes: Sequence[int],
    in_sizes: Sequence[int],
    controls: Mapping[Key, Array],
    sizes: Mapping[str, int],
) -> Array:
    """Which pairs of positions are related.

    Args:
        relation: the relation.
        out_sizes: sizes of the output's coordinates.
        in_sizes: sizes of the input's coordinates.
        controls: operands by key, each with one axis for each place that indexes it.
        sizes: the run-time sizes.

    Returns:
        bool [out coordinates ..., in coordinates ...]. A constraint that indexes an operand out of range is false.

    Raises:
        KeyError: for an operand or a run-time size that is missing.
    """
    import numpy as np

    at = _Indices(out_sizes, in_sizes)
    result = np.zeros((*out_sizes, *in_sizes), dtype=bool)
    for atom in relation.atoms:
        holds = np.ones((*out_sizes, *in_sizes), dtype=bool)
        for constraint in _constraints(atom, at, controls, sizes):
            holds &= constraint
        result |= holds
    return result


class _Indices:
    """The index along each coordinate, shaped to broadcast against the others."""

    def __init__(self, out_sizes: Sequence[int], in_sizes: Sequence[int]) -> None:
        import numpy as np

        grid = np.ix_(*(np.arange(size) for size in (*out_sizes, *in_sizes)))
        self._of = {"out": grid[: len(out_sizes)], "in": grid[len(out_sizes) :]}

    def __call__(self, side: str, coordinate: int) -> Array:
        return self._of[side][coordinate]

    def place(self, side: str, place: Place, sizes: Mapping[str, int]) -> Array:
        import numpy as np

        return np.asarray(index_at(place, lambda k: self(side, k), sizes))  # type: ignore[arg-type, return-value]

    def all(self, side: str, places: Sequence[Place], sizes: Mapping[str, int]) -> tuple[Array, ...]:
        return tuple(self.place(side, place, sizes) for place in places)


def _constraints(atom: Atom, at: _Indices, controls: Mapping[Key, Array], sizes: Mapping[str, int]) -> Iterator[Array]:
    """Each constraint of an atom as a bool array that broadcasts to all pairs."""
    for d in atom.differences:
        yield from _between(d.a * at("out", d.out) - d.b * at("in", d.inp), d.lo, d.hi, sizes)
    for r in atom.ranges:
        yield from _between(at(r.side, r.coordinate), r.lo, r.hi, sizes)
    for bound in atom.prefixes:
        yield _prefix(bound, at, controls[bound.prefix], sizes)
    for guard in atom.guards:
        yield _guard(guard, at, controls[guard.predicate], sizes)
    for equality in atom.segments:
        yield _segment(equality, at, controls[equality.segments], sizes)
    for one in atom.flats:
        yield from _between(at.place("out", one.out, sizes) - at.place("in", one.inp, sizes), one.lo, one.hi, sizes)


def _between(x: Array, lo: Dim | None, hi: Dim | None, sizes: Mapping[str, int]) -> Iterator[Array]:
    if lo is not None:
        yield x >= lo.value(sizes)
    if hi is not None:
        yield x <= hi.value(sizes)


def _prefix(bound: PrefixBound, at: _Indices, length: Array, sizes: Mapping[str, int]) -> Array:
    """Where the input place is inside the prefix."""
    inside, found = _look_up(length, at.all("in", bound.leading, sizes))
    within: Array = inside & (at.place("in", bound.inp, sizes) < found + Dim.of(bound.offset).value(sizes))
    return within


def _guard(guard: Guard, at: _Indices, predicate: Array, sizes: Mapping[str, int]) -> Array:
    """Where the guard holds; false where its index is out of range, whatever its sign."""
    *leading, last = at.all(guard.side, guard.coordinates, sizes)
    inside, held = _look_up(predicate, (*leading, last + Dim.of(guard.offset).value(sizes)))
    holds: Array = inside & (held.astype(bool) != guard.negated)
    return holds


def _segment(equality: SegmentEquality, at: _Indices, segments: Array, sizes: Mapping[str, int]) -> Array:
    """Where both places are in range and have equal values."""
    here, left = _look_up(segments, at.all("out", equality.out, sizes))
    there, right = _look_up(segments, at.all("in", equality.inp, sizes))
    same: Array = here & there & (left == right)
    return same


def _look_up(array: Array, indices: Sequence[Array]) -> tuple[Array, Array]:
    """Which indices are inside the array, and its values there (arbitrary where they are not)."""
    import numpy as np

    inside = np.asarray(True)
    for index, size in zip(indices, array.shape, strict=True):
        inside = inside & (index >= 0) & (index < size)
    # NumPy takes a negative index from the end and raises for one that is too large.
    clipped = tuple(np.clip(index, 0, size - 1) for index, size in zip(indices, array.shape, strict=True))
    return inside, np.asarray(array[clipped])
