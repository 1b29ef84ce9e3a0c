"""Products of matrices, and sums of products along named axes."""

from __future__ import annotations

import math
from array import array as doubles
from collections.abc import Callable, Sequence
from itertools import chain, product
from operator import mul
from typing import Any

from archspec.page.arrays.array import Numbers, asarray, ndarray
from archspec.page.arrays.kinds import converted, wider
from archspec.page.arrays.layout import axis_of, offsets, spread, strides_of, together


def _sum_of_products(x: Sequence[float], y: Sequence[float]) -> float:
    return float(sum(map(mul, x, y)))


# Python 3.12 has it built in.
_dot = getattr(math, "sumprod", _sum_of_products)


def matmul(left: Any, right: Any) -> ndarray:
    """The product of two matrices, or of two batches of them, which broadcast."""
    if hasattr(right, "__array_ufunc__"):
        found_elsewhere: ndarray = right.__array_ufunc__(matmul, "__call__", left, right)
        return found_elsewhere
    a, b = asarray(left), asarray(right)
    if b.ndim == 1:
        found = matmul(a, b.reshape(-1, 1))
        return found.reshape(found.shape[:-1])
    if a.ndim == 1:
        found = matmul(a.reshape(1, -1), b)
        return found.reshape((*found.shape[:-2], found.shape[-1]))
    kind = wider(a.kind, b.kind)
    if kind == "b":
        raise TypeError("bools have no product of matrices here")
    (rows, inner), width = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != inner:
        raise ValueError(f"{a.shape} and {b.shape} have no product")
    if not inner:
        shape = (*together(a.shape[:-2], b.shape[:-2]), rows, width)
        return ndarray(converted([0] * math.prod(shape), "", kind), shape, kind)
    if b.ndim == 2:
        return ndarray(_product(a.numbers, b.columns(), inner, kind), (*a.shape[:-1], width), kind)
    batch = together(a.shape[:-2], b.shape[:-2])
    first, second = _blocks(a, batch), _blocks(b, batch)
    columns = {k: ndarray(b.data[k : k + inner * width], (inner, width), kind).columns() for k in set(second)}
    found_data = chain.from_iterable(
        _product(a.data[i : i + rows * inner], columns[k], inner, kind) for i, k in zip(first, second, strict=True)
    )
    return ndarray(list(found_data), (*batch, rows, width), kind)


def _product(rows: Numbers, columns: Numbers, inner: int, kind: str) -> list[Any]:
    """The product of every row with every column, both given one behind the other; `inner` is their length, not 0."""
    first, second = (range(0, len(data), inner) for data in (rows, columns))
    if _outside and kind == "f" and len(first) * len(columns) >= _LARGE:
        made = doubles("d", bytes(8 * len(first) * len(second)))
        _outside[0](_packed(rows), _packed(columns), made, inner)
        return made.tolist()
    parts = [columns[k : k + inner] for k in second]
    return [_dot(rows[k : k + inner], part) for k in first for part in parts]


def _packed(numbers: Numbers) -> Any:
    """Numbers as doubles, which they may be already."""
    return numbers if isinstance(numbers, memoryview) else doubles("d", numbers)


_LARGE = 20_000
_outside: list[Callable[[Any, Any, Any, int], None]] = []


def multiply_by(function: Callable[[Any, Any, Any, int], None]) -> None:
    """Compute large products outside of Python.

    Args:
        function: takes rows, columns, the result that it fills, all as arrays of doubles, and the length of a row.
    """
    _outside[:] = [function]


def _blocks(array: ndarray, batch: tuple[int, ...]) -> list[int]:
    """Where the matrix of each place of a batch starts."""
    shape = array.shape[:-2]
    strides = strides_of(array.shape)[:-2]
    starts = offsets([range(0, size * stride, stride) for size, stride in zip(shape, strides, strict=True)])
    return spread(starts, shape, batch)


def einsum(formula: str, *operands: Any) -> ndarray:
    """Sums of products along axes that the result does not name; `...` stands for trailing axes."""
    arrays = [asarray(one) for one in operands]
    words, result = formula.replace(" ", "").split("->")
    names = [_named(word, array.ndim) for word, array in zip(words.split(","), arrays, strict=True)]
    pairs = [pair for axes, array in zip(names, arrays, strict=True) for pair in zip(axes, array.shape, strict=True)]
    sizes = dict(pairs)
    if len(set(pairs)) > len(sizes) or any(len(set(axes)) < len(axes) for axes in names):
        raise ValueError(f"{[one.shape for one in arrays]} do not fit {formula}, or an operand names an axis twice")
    out = _named(result, max(len(_dots(axes)) for axes in names) + len(result.replace("...", "")))
    summed = [axis for axis in sizes if axis not in out]
    # All in one order of axes, first those of the result.
    order = [*out, *summed]
    shape = tuple(sizes[axis] for axis in order)
    spread_out = [spread(*_in_order(array, axes, order), shape) for array, axes in zip(arrays, names, strict=True)]
    width = math.prod(sizes[axis] for axis in summed)
    products = [math.prod(parts) for parts in zip(*spread_out, strict=True)]
    if not width:
        raise ValueError("a sum of no products is not computed here")
    found = [sum(products[k : k + width]) for k in range(0, len(products), width)]
    kind = wider(*(one.kind for one in arrays))
    if kind == "b":
        raise TypeError("bools have no sums of products here")
    return ndarray(found, tuple(sizes[axis] for axis in out), kind)


def _named(word: str, rank: int) -> list[str]:
    """The axes of an operand; those behind `...` are named by their number from the end."""
    letters = word.replace("...", "")
    rest = [str(k) for k in reversed(range(rank - len(letters)))]
    before, dots, after = word.partition("...")
    return [*before, *(rest if dots else []), *after]


def _dots(axes: Sequence[str]) -> list[str]:
    return [axis for axis in axes if axis.isdigit()]


def _in_order(array: ndarray, axes: Sequence[str], order: Sequence[str]) -> tuple[list[Any], tuple[int, ...]]:
    """The numbers of an operand and its shape, with an axis of one entry for each that it lacks."""
    there = [axis for axis in order if axis in axes]
    turned = array.transpose([axes.index(axis) for axis in there]) if array.ndim else array
    shape = tuple(array.shape[axes.index(axis)] if axis in axes else 1 for axis in order)
    return turned.data, shape


def tensordot(left: Any, right: Any, axes: tuple[Sequence[int], Sequence[int]]) -> ndarray:
    """The sum of products over pairs of axes; the other axes of the left come before those of the right."""
    a, b = asarray(left), asarray(right)
    first, second = ([axis_of(k, array.ndim) for k in chosen] for array, chosen in zip((a, b), axes, strict=True))
    if [a.shape[k] for k in first] != [b.shape[k] for k in second]:
        raise ValueError(f"{a.shape} and {b.shape} do not fit along {axes}")
    kept_a, kept_b = ([k for k in range(x.ndim) if k not in chosen] for x, chosen in ((a, first), (b, second)))
    width = math.prod(a.shape[k] for k in first)
    rows = a.transpose([*kept_a, *first]).reshape(-1, width)
    columns = b.transpose([*second, *kept_b]).reshape(width, -1)
    return matmul(rows, columns).reshape([*(a.shape[k] for k in kept_a), *(b.shape[k] for k in kept_b)])


def ndindex(*shape: Any) -> product[tuple[int, ...]]:
    """All indices of a shape, the last running fastest."""
    sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    return product(*(range(size) for size in sizes))


setattr(ndarray, "__matmul__", matmul)  # noqa: B010 - a checker of types takes an assignment for a product
