"""An array of numbers in a plain list, with the part of NumPy's `ndarray` that the package uses."""

from __future__ import annotations

import operator
from array import array as doubles
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, compress
from math import isnan, nan, prod
from typing import Any

from archspec.page.arrays.indices import selected
from archspec.page.arrays.kinds import NumberKind, converted, kind_among, kind_of, wider
from archspec.page.arrays.layout import Shape, axis_of, permuted, spread

Numbers = list[Any] | memoryview
"""Numbers in a list, or packed as doubles, which are only read: a stretch of them costs nothing."""


class ndarray:  # noqa: N801
    """Numbers in row-major order.

    What is a view in NumPy, such as a slice, is a copy here, and not written to: its array would not change.
    """

    __slots__ = ("_data", "_is_written", "_packed", "_turned", "kind", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: Numbers | None, shape: Shape, kind: str, turned: ndarray | None = None) -> None:
        self.shape, self.kind, self._turned = shape, kind, turned
        self._data: list[Any] | None = None if isinstance(data, memoryview) else data
        self._packed: memoryview | None = data if isinstance(data, memoryview) else None
        self._is_written = turned is None and self._packed is None

    def setflags(self, *, write: bool) -> None:
        """Let the array be written to no longer; its floats are packed. Raises ValueError for the reverse."""
        if write:
            raise ValueError("an array that is not written to stays so")
        self._is_written = False
        if self.kind == "f" and self._packed is None:
            self._data, self._packed = None, memoryview(doubles("d", self.data))

    def as_view(self) -> ndarray:
        """This array, which is no longer written to: it is a view in NumPy."""
        self._is_written = False
        return self

    def replace(self, data: list[Any]) -> None:
        """Write all numbers anew. Raises ValueError for what is a view in NumPy."""
        self.require_written()
        self.data[:] = data

    def require_written(self) -> None:
        """Raise ValueError for an array that is not written to."""
        if not self._is_written:
            raise ValueError("this array is read-only: it is a view in NumPy and a copy here, or was made so")

    @property
    def data(self) -> list[Any]:
        """The numbers in a list; those of a transposed matrix are put in order when they are first read."""
        if self._data is None and self._packed is not None:
            self._data = self._packed.tolist()
        elif self._data is None:
            assert self._turned is not None
            width = self.shape[0]
            self._data = list(chain.from_iterable(self._turned.data[k::width] for k in range(width)))
        return self._data

    @property
    def numbers(self) -> Numbers:
        """The numbers as they are, for what only reads them."""
        return self.data if self._packed is None else self._packed

    @property
    def dtype(self) -> NumberKind:
        """The kind of the numbers."""
        return NumberKind(kind=self.kind)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of numbers."""
        return prod(self.shape)

    @property
    def T(self) -> ndarray:  # noqa: N802
        """All axes in reverse order."""
        if self.ndim == 2:
            return ndarray(None, self.shape[::-1], self.kind, turned=self)
        return self.transpose()

    def columns(self) -> Numbers:
        """The columns of a matrix, one behind the other."""
        return self.T.data if self._turned is None else self._turned.numbers

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.data) if self.ndim == 1 else (self[k] for k in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return operator.index(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __repr__(self) -> str:
        return f"array({self.tolist()}, {self.dtype})"

    def item(self) -> Any:
        """The only number. Raises ValueError where there are others."""
        (found,) = self.data
        return found

    def __getitem__(self, index: Any) -> Any:
        if type(index) is int and self.shape:
            return self._at(index)
        if isinstance(index, slice) and self.shape and index.step in (None, 1):
            return self._between(index)
        index = _with_arrays(index)
        if isinstance(index, ndarray) and index.kind == "b" and index.shape == self.shape != ():
            chosen = list(compress(self.numbers, index.data))
            return ndarray(chosen, (len(chosen),), self.kind)
        shape, places = selected(index, self.shape)
        found = list(map(self.numbers.__getitem__, places))
        if _names_arrays(index):
            return ndarray(found, shape, self.kind)
        return ndarray(found, shape, self.kind).as_view() if shape else found[0]

    def _at(self, k: int) -> Any:
        """One entry along the first axis."""
        size, shape = self.shape[0], self.shape[1:]
        if not -size <= k < size:
            raise IndexError(f"index {k} is out of range for an axis of {size}")
        block, numbers = prod(shape), self.numbers
        k %= size
        return ndarray(numbers[k * block : (k + 1) * block], shape, self.kind).as_view() if shape else numbers[k]

    def _between(self, index: slice) -> ndarray:
        """Neighbours along the first axis, which are neighbours in the list."""
        start, stop, _ = index.indices(self.shape[0])
        block, count = prod(self.shape[1:]), max(0, stop - start)
        kept = self.numbers[start * block : (start + count) * block]
        return ndarray(kept, (count, *self.shape[1:]), self.kind).as_view()

    def __setitem__(self, index: Any, values: Any) -> None:
        self.require_written()
        shape, places = selected(_with_arrays(index), self.shape)
        given = asarray(values)
        # As NumPy does, leading axes of one entry are dropped.
        while given.ndim > len(shape) and given.shape[0] == 1:
            given = given.reshape(given.shape[1:])
        found = converted(spread(given.data, given.shape, shape), given.kind, self.kind)
        data = self.data
        for place, value in zip(places, found, strict=True):
            data[place] = value

    def reshape(self, *shape: Any) -> ndarray:
        """The same numbers in another shape, of which one size may be -1."""
        given = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        wanted = tuple(map(operator.index, given))
        if min(wanted, default=0) < -1 or wanted.count(-1) > 1:
            raise ValueError(f"{wanted} is no shape")
        if -1 in wanted:
            rest = prod(size for size in wanted if size != -1)
            wanted = tuple((self.size // rest if rest else 0) if size == -1 else size for size in wanted)
        if prod(wanted) != self.size:
            raise ValueError(f"{self.shape} cannot be given the shape {wanted}")
        found = ndarray(self.numbers, wanted, self.kind)
        return found if self._is_written else found.as_view()

    def ravel(self) -> ndarray:
        """All numbers along one axis."""
        return self.reshape(-1)

    def flatten(self) -> ndarray:
        """A copy of all numbers along one axis."""
        return self.copy().reshape(-1)

    def transpose(self, *order: Any) -> ndarray:
        """The axes in another order; in reverse where none is given."""
        axes = order[0] if len(order) == 1 and not isinstance(order[0], int) else order
        axes = [axis_of(axis, self.ndim) for axis in axes] if len(order) else list(reversed(range(self.ndim)))
        if sorted(axes) != list(range(self.ndim)):
            raise ValueError(f"{axes} are not the axes of {self.shape}")
        if self.ndim == 2 and axes == [1, 0]:
            return self.T
        shape = tuple(self.shape[axis] for axis in axes)
        return ndarray(permuted(self.data, self.shape, axes), shape, self.kind).as_view()

    def swapaxes(self, first: int, second: int) -> ndarray:
        """Two axes exchanged."""
        order = list(range(self.ndim))
        first, second = axis_of(first, self.ndim), axis_of(second, self.ndim)
        order[first], order[second] = order[second], order[first]
        return self.transpose(order)

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        """The numbers as those of another kind."""
        kind = kind_of(dtype)
        found = converted(self.data, self.kind, kind)
        return ndarray(list(found) if copy else found, self.shape, kind)

    def copy(self) -> ndarray:
        """An array of its own."""
        return ndarray(list(self.data), self.shape, self.kind)

    def tolist(self) -> Any:
        """Lists of lists."""
        if self.ndim < 2:
            return list(self.data) if self.shape else self.data[0]
        return [x.tolist() for x in self]

    def map(self, function: Callable[[Any], Any], kind: str | None = None) -> ndarray:
        """A function of each number."""
        return ndarray(list(map(function, self.data)), self.shape, kind or self.kind)

    def rows(self, axis: int) -> tuple[list[list[Any]], Shape]:
        """The rows along an axis, and the shape of the other axes."""
        axis = axis_of(axis, self.ndim)
        order = [k for k in range(self.ndim) if k != axis] + [axis]
        turned, size = permuted(self.data, self.shape, order), self.shape[axis]
        shape = tuple(self.shape[k] for k in order[:-1])
        return [turned[k * size : (k + 1) * size] for k in range(prod(shape))], shape

    def _folded(
        self, fold: Callable[[list[Any]], Any], axis: Any = None, keepdims: bool = False, kind: str | None = None
    ) -> Any:
        """A function of the rows along some axes; of all numbers where none is given."""
        kind = kind or self.kind
        if axis is None:
            found = converted([fold(self.data)], "", kind)
            return ndarray(found, (1,) * self.ndim, kind) if keepdims else found[0]
        named = [axis_of(k, self.ndim) for k in (axis if isinstance(axis, tuple) else (axis,))]
        axes = sorted(set(named))
        if len(axes) < len(named):
            raise ValueError(f"an axis is named twice in {axis}")
        rest = [k for k in range(self.ndim) if k not in axes]
        turned = permuted(self.data, self.shape, [*rest, *axes])
        shape, width = tuple(self.shape[k] for k in rest), prod(self.shape[k] for k in axes)
        folded = converted([fold(turned[k * width : (k + 1) * width]) for k in range(prod(shape))], "", kind)
        if keepdims:
            shape = tuple(1 if k in axes else size for k, size in enumerate(self.shape))
        return ndarray(folded, shape, kind) if shape or keepdims else folded[0]

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Sums."""
        return self._folded(sum, axis, keepdims, wider(self.kind, "i"))

    def prod(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Products."""
        return self._folded(prod, axis, keepdims, wider(self.kind, "i"))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Means."""
        return self._folded(lambda row: sum(row) / len(row) if row else nan, axis, keepdims, "f")

    def var(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Means of squares around the mean."""
        return self._folded(_variance, axis, keepdims, "f")

    def max(self, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        """The largest numbers."""
        return self._folded(lambda row: _extreme(max, row, initial), axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        """The smallest numbers."""
        return self._folded(lambda row: _extreme(min, row, initial), axis, keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether one is true."""
        return self._folded(any, axis, keepdims, "b")

    def all(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether all are true."""
        return self._folded(all, axis, keepdims, "b")

    def argmax(self, axis: Any = None, keepdims: bool = False) -> Any:
        """The index of the first of the largest."""
        return self._folded(lambda row: _place(max, row), axis, keepdims, "i")

    def argmin(self, axis: Any = None, keepdims: bool = False) -> Any:
        """The index of the first of the smallest."""
        return self._folded(lambda row: _place(min, row), axis, keepdims, "i")

    def along(self, change: Callable[[list[Any]], Sequence[Any]], axis: int, kind: str | None = None) -> ndarray:
        """The rows along an axis, each changed to one that may have another length."""
        axis = axis_of(axis, self.ndim)
        rows, shape = self.rows(axis)
        changed = [change(row) for row in rows]
        width = len(changed[0]) if changed else len(change([self._zero] * self.shape[axis]))
        found = ndarray(list(chain.from_iterable(changed)), (*shape, width), kind or self.kind)
        order = list(range(self.ndim - 1))
        order.insert(axis, self.ndim - 1)
        made = found.transpose(order)
        # It is of this array alone.
        made._is_written = True
        return made

    @property
    def _zero(self) -> Any:
        return converted([0], "", self.kind)[0]

    def take(self, places: Any, axis: int) -> ndarray:
        """The entries along an axis that indices name; the axes of the indices stand in place of it."""
        found: ndarray = self[(*(slice(None),) * axis_of(axis, self.ndim), asarray(places))]
        return found

    def cumsum(self, axis: int) -> ndarray:
        """Sums of ever more of the numbers along an axis."""
        from itertools import accumulate

        return self.along(lambda row: list(accumulate(row)), axis, wider(self.kind, "i"))

    def argsort(self, axis: int = -1, kind: str | None = None) -> ndarray:
        """The order that sorts each row; equal ones stay as they are."""
        return self.along(lambda row: sorted(range(len(row)), key=lambda k: last_if_nan(row[k])), axis, "i")

    def __neg__(self) -> ndarray:
        if self.kind == "b":
            raise TypeError("bools have no negatives")
        return self.map(operator.neg)

    def __abs__(self) -> ndarray:
        return self.map(abs)

    def __invert__(self) -> ndarray:
        if self.kind == "f":
            raise TypeError("floats are not inverted bit by bit")
        return self.map(operator.not_ if self.kind == "b" else operator.invert)


def _with_arrays(index: Any) -> Any:
    """An index with arrays in place of lists."""
    if isinstance(index, tuple):
        return tuple(asarray(one) if isinstance(one, list) else one for one in index)
    return asarray(index) if isinstance(index, list) else index


def _names_arrays(index: Any) -> bool:
    return any(hasattr(one, "shape") and one.shape for one in (index if isinstance(index, tuple) else (index,)))


def last_if_nan(x: Any) -> tuple[bool, Any]:
    """A key by which numbers are sorted, those that are undefined last."""
    return (True, 0) if x != x else (False, x)


def _place(choose: Callable[[Iterable[Any]], Any], row: list[Any]) -> int:
    """Where the first of the numbers is that a choice among all gives; an undefined one is chosen first."""
    undefined = next((k for k, x in enumerate(row) if x != x), None)
    return row.index(choose(row)) if undefined is None else undefined


def _variance(row: list[Any]) -> float:
    mean = sum(row) / len(row)
    return float(sum((x - mean) ** 2 for x in row) / len(row))


def _extreme(choose: Callable[[Iterable[Any]], Any], row: list[Any], initial: Any) -> Any:
    row = row if initial is None else [*row, initial]
    # A comparison with what is not a number is false, so that it would be passed over.
    return next((x for x in row if isinstance(x, float) and isnan(x)), None) or choose(row)


def asarray(values: Any, dtype: Any = None) -> ndarray:
    """Numbers, sequences of them or an array as an array; without a copy where it is one of the kind already."""
    if hasattr(values, "__array__"):
        values = values.__array__()
    if isinstance(values, ndarray):
        return values if dtype is None else values.astype(dtype, copy=False)
    is_number = isinstance(values, int | float)
    found = ndarray([values], (), kind_among([values])) if is_number else _nested(list(values))
    return found if dtype is None else found.astype(dtype, copy=False)


def _nested(values: list[Any]) -> ndarray:
    """An array of a list of numbers, lists or arrays. Raises ValueError where their shapes differ."""
    if {list, tuple, ndarray, range}.isdisjoint(map(type, values)):
        kind = kind_among(values)
        return ndarray(converted(values, "", kind), (len(values),), kind)
    parts = [asarray(one) for one in values]
    if len({part.shape for part in parts}) > 1:
        raise ValueError("the parts have different shapes")
    kind = wider(*(part.kind for part in parts))
    data = [x for part in parts for x in converted(part.data, part.kind, kind)]
    return ndarray(data, (len(parts), *parts[0].shape), kind)
