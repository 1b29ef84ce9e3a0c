"""Rows of a padded batch and the same rows alone, on concrete arrays, and how far their outputs are apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.rules.wiring.values import keeps
from archspec.spec import InputSpec, Rule

if TYPE_CHECKING:
    from archspec.rules.measure import Array

Arrays = Mapping[str, "Array"]


@record
class Place:
    """Where the valid positions of a row stand: `first` and so many."""

    first: int
    count: int


def row_dims(rule: Rule) -> tuple[Symbol | None, Symbol]:
    """The dim of rows, None for one row, and the dim of positions."""
    assert rule.valid is not None
    batch, length = rule.valid.type.shape
    (position,) = length.symbols()
    return next(iter(batch.symbols()), None), position


def places(rule: Rule, length: int, padding: str) -> Iterator[Place]:
    """Places of valid positions in a row of `length`: padded on the right, on the left, on both sides.

    Counts are those that the dim admits, 1 among them if it does; `padding` is what the input promises.
    """
    _, dim = row_dims(rule)
    counts = [count for count in range(1, length) if dim.min <= count and count % dim.multiple == 0]
    for count in dict.fromkeys([*counts[-1:], *counts[:1], *counts[len(counts) // 2 :][:1]]):
        ends = {"right": [0], "left": [length - count]}.get(padding, [0, length - count, (length - count) // 2])
        for first in dict.fromkeys(ends):
            yield Place(first=first, count=count)


def marked(rule: Rule, shape: tuple[int, ...], rows: list[Place]) -> Array:
    """The input `valid`: true at the place of each row."""
    import numpy as np

    found: Array = np.zeros(shape, dtype=bool)
    for row, place in enumerate(rows):
        found[row, place.first : place.first + place.count] = True
    return found


def alone(
    rule: Rule, inputs: Mapping[str, InputSpec], arrays: Arrays, row: int, place: Place
) -> dict[str, Array] | None:
    """The inputs of one row alone, without its padding; None where they would break a promise."""
    import numpy as np

    assert rule.valid is not None
    batch, length = rule.valid.type.shape
    found = {}
    for name, given in inputs.items():
        array = np.ascontiguousarray(_cut(arrays[name], given.type, (batch, length), row, place))
        if not keeps(array, given.padding if given.type.dtype is DType.BOOL else "any", given.sorted):
            return None
        _, dim = row_dims(rule)
        bound = given.type.bound
        if bound is not None and dim in bound.symbols():
            return None
        found[name] = array
    return found


def _cut(array: Array, type_: TensorType, dims: tuple[Dim, Dim], row: int, place: Place) -> Array:
    """The part of an array that belongs to a row: one row of the batch, and the valid positions."""
    batch, length = dims
    for axis, size in enumerate(type_.shape):
        if size == length:
            array = array.take(range(place.first, place.first + place.count), axis=axis)
        elif size == batch and axis == 0:
            array = array[row : row + 1]
    return array


@record(eq=False)
class RowApart:
    """The element of a row's output that is farthest from that of the row alone, relative to the largest or to 1."""

    size: float
    row: int
    place: Place
    at: tuple[int, ...]
    found: float
    expected: float

    def __str__(self) -> str:
        """The row and its padding in words."""
        many = "s" if self.place.count > 1 else ""
        return f"row {self.row}, whose {self.place.count} valid position{many} begin at {self.place.first}"


def apart(rule: Rule, padded: Array, single: Array, row: int, place: Place) -> RowApart:
    """How far the output of a row in a padded batch is from that of the row alone, at valid positions."""
    import numpy as np

    assert rule.valid is not None
    batch, length = rule.valid.type.shape
    own = _cut(padded, rule.output.type, (batch, length), row, place).astype(np.float64)
    wanted = single.astype(np.float64)
    if own.shape != wanted.shape:
        return RowApart(size=float("inf"), row=row, place=place, at=(), found=float("nan"), expected=float("nan"))
    finite = np.isfinite(wanted)
    largest = max(1.0, float(np.abs(wanted).max(initial=0.0, where=finite)))
    with np.errstate(invalid="ignore"):
        far = np.abs(own - wanted) / largest
    # A value that is not finite in both is no evidence.
    far = np.where(np.isfinite(far), far, np.where(finite == np.isfinite(own), 0.0, np.inf))
    at = tuple(int(k) for k in np.unravel_index(int(far.argmax()), far.shape)) if far.size else ()
    size = float(far[at]) if far.size else 0.0
    return RowApart(
        size=size,
        row=row,
        place=place,
        at=at,
        found=float(own[at]) if far.size else 0.0,
        expected=float(wanted[at]) if far.size else 0.0,
    )
