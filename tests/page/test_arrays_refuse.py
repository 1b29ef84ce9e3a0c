"""Arrays in lists give what NumPy gives, or refuse: never something else. Any operation, on any shapes and numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archspec
from archspec.page import arrays

SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
SPECIAL = [0.0, -0.0, 1.0, -1.5, 2.0, 3.25, np.inf, -np.inf, np.nan]
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int64": st.integers(-4, 4),
    "float64": st.sampled_from(SPECIAL),
}
AXES = st.one_of(st.none(), st.integers(-4, 4), st.tuples(st.integers(-3, 3), st.integers(-3, 3)))
AXIS = st.integers(-4, 4)
INDEX = st.one_of(
    st.integers(-4, 4),
    st.just(None),
    st.just(...),
    st.builds(slice, st.one_of(st.none(), st.integers(-4, 4)), st.one_of(st.none(), st.integers(-4, 4))),
    st.just(slice(None, None, -1)),
    st.just(1.5),
    st.just(True),
    st.lists(st.integers(-3, 3), min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=1, max_size=3),
)


@st.composite
def numbers(draw: st.DrawFn, shape: tuple[int, ...] | None = None) -> np.ndarray:
    size = draw(SHAPES) if shape is None else shape
    kind = draw(st.sampled_from(sorted(NUMBERS)))
    count = int(np.prod(size))
    return np.array(draw(st.lists(NUMBERS[kind], min_size=count, max_size=count)), dtype=kind).reshape(size)


def ours(x: np.ndarray) -> arrays.ndarray:
    return arrays.ndarray(list(x.ravel().tolist()), x.shape, x.dtype.kind)


def agrees(call: Callable[[ModuleType, Any], Any], *given: np.ndarray) -> bool:
    """Whether ours gives what NumPy gives, not where it refuses. Fails where it gives something else.

    Of no numbers it may give an empty array where NumPy refuses.
    """
    try:
        found = call(arrays, [ours(x) for x in given])  # type: ignore[arg-type]
    except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError, OverflowError):
        return False
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            wanted = call(np, [x.copy() for x in given])
        except (TypeError, ValueError, IndexError):
            assert any(x.size == 0 for x in given)
            return False
    for one, other in zip(_several(found), _several(wanted), strict=True):
        array = isinstance(one, arrays.ndarray)
        kind = one.kind if array else np.asarray(one).dtype.kind
        a = np.array(one.data, dtype=float).reshape(one.shape) if array else np.asarray(one, dtype=float)
        b = np.asarray(other)
        assert a.shape == b.shape
        assert kind == b.dtype.kind.replace("u", "i") or b.size == 0, (kind, b.dtype)
        np.testing.assert_allclose(a, b.astype(float), rtol=1e-12, atol=1e-14)
    return True


def _several(found: Any) -> tuple[Any, ...]:
    return tuple(found) if isinstance(found, tuple | list) else (found,)


BINARY: dict[str, Callable[[ModuleType, Any, Any], Any]] = {
    "+": lambda np, x, y: x + y,
    "-": lambda np, x, y: x - y,
    "*": lambda np, x, y: x * y,
    "/": lambda np, x, y: x / y,
    "//": lambda np, x, y: x // y,
    "%": lambda np, x, y: x % y,
    "**": lambda np, x, y: x**y,
    "&": lambda np, x, y: x & y,
    "|": lambda np, x, y: x | y,
    "^": lambda np, x, y: x ^ y,
    "<": lambda np, x, y: x < y,
    "==": lambda np, x, y: x == y,
    "maximum": lambda np, x, y: np.maximum(x, y),
    "minimum": lambda np, x, y: np.minimum(x, y),
    "divmod": lambda np, x, y: np.divmod(x, y),
    "logaddexp": lambda np, x, y: np.logaddexp(x, y),
    "logical_and": lambda np, x, y: np.logical_and(x, y),
    "array_equal": lambda np, x, y: np.array_equal(x, y),
    "matmul": lambda np, x, y: x @ y,
    "concatenate": lambda np, x, y: np.concatenate([x, y], axis=-1),
    "stack": lambda np, x, y: np.stack([x, y], axis=1),
    "einsum": lambda np, x, y: np.einsum("...,...->...", x, y),
    "tensordot": lambda np, x, y: np.tensordot(x, y, ([-1], [0])),
    "searchsorted": lambda np, x, y: np.searchsorted(np.sort(x.ravel()), y),
    "where": lambda np, x, y: np.where(x, y, x),
    "in place": lambda np, x, y: x.__iadd__(y),
    "in place, times": lambda np, x, y: x.__imul__(y),
    "written": lambda np, x, y: [x.__setitem__(..., y), x][1],
    "looked up": lambda np, x, y: x[y],
    "masked": lambda np, x, y: x[y > 0],
}


@pytest.mark.parametrize("name", BINARY)
def test_two_arrays(name: str) -> None:
    answered = 0

    @settings(max_examples=25, derandomize=True)
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        nonlocal answered
        x = data.draw(numbers())
        y = data.draw(numbers(x.shape) if data.draw(st.booleans()) else numbers())
        # Libraries leave out products with zero, also those with what is not finite.
        assume(name not in ("matmul", "tensordot") or (np.isfinite(x).all() and np.isfinite(y).all()))
        answered += agrees(lambda np, given: BINARY[name](np, *given), x, y)

    tried()
    # To refuse everything would agree as well.
    assert answered


UNARY: dict[str, Callable[[ModuleType, Any, Any], Any]] = {
    "sum": lambda np, x, axis: x.sum(axis=axis),
    "mean": lambda np, x, axis: x.mean(axis=axis, keepdims=True),
    "var": lambda np, x, axis: x.var(axis=axis),
    "prod": lambda np, x, axis: x.prod(axis=axis),
    "max": lambda np, x, axis: x.max(axis=axis),
    "min": lambda np, x, axis: x.min(axis=axis, initial=2.0),
    "any": lambda np, x, axis: x.any(axis=axis),
    "all": lambda np, x, axis: x.all(axis=axis, keepdims=True),
    "argmax": lambda np, x, axis: x.argmax(axis=axis),
    "argmin": lambda np, x, axis: x.argmin(axis=axis),
    "sort": lambda np, x, axis: np.sort(x, axis=axis),
    "argsort": lambda np, x, axis: np.argsort(x, axis=axis, kind="stable"),
    "cumsum": lambda np, x, axis: np.cumsum(x, axis=axis),
    "diff": lambda np, x, axis: np.diff(x, axis=axis),
    "repeat": lambda np, x, axis: np.repeat(x, 2, axis=axis),
    "roll": lambda np, x, axis: np.roll(x, 1, axis=axis),
    "split": lambda np, x, axis: np.split(x, 2, axis=axis),
    "moveaxis": lambda np, x, axis: np.moveaxis(x, axis, 0),
    "swapaxes": lambda np, x, axis: x.swapaxes(0, axis),
    "take": lambda np, x, axis: x.take(np.asarray([0, 1]), axis=axis),
    "transpose": lambda np, x, axis: x.transpose(axis, 0),
    "T": lambda np, x, axis: (x.T, x.T.T, -x.T),
    "signs": lambda np, x, axis: (-x, abs(x), ~x),
    "inverted": lambda np, x, axis: ~x,
    "reshape": lambda np, x, axis: x.reshape(-1, axis),
    "pad": lambda np, x, axis: np.pad(x, [(1, 2)] * x.ndim),
    "wrapped": lambda np, x, axis: np.pad(x, [(1, 0)] * x.ndim, mode="wrap"),
    "reflected": lambda np, x, axis: np.pad(x, [(1, 0)] * x.ndim, mode="reflect"),
    "resize": lambda np, x, axis: np.resize(x, (3, 2)),
    "kinds": lambda np, x, axis: (x.astype(bool), x.astype(float), np.zeros_like(x), np.full_like(x, 2)),
    "integers": lambda np, x, axis: x.astype(int),
    "functions": lambda np, x, axis: (
        np.exp(x),
        np.sin(x),
        np.tanh(x),
        np.sqrt(x),
        np.floor(x),
        np.log(x),
        np.log1p(x),
    ),
    "tests": lambda np, x, axis: (np.isfinite(x), np.isnan(x), np.logical_not(x), np.argwhere(x), np.flatnonzero(x)),
    "clip": lambda np, x, axis: np.clip(x, -1, 2),
    "broadcast": lambda np, x, axis: np.broadcast_to(x, (2, *x.shape)),
    "windows": lambda np, x, axis: np.lib.stride_tricks.sliding_window_view(x, (2,), axis=(axis,)),
    "unique": lambda np, x, axis: np.unique(x, axis=0, return_index=True),
    "packbits": lambda np, x, axis: np.packbits(x, axis=axis),
    "ix_": lambda np, x, axis: np.ix_(x.ravel(), np.arange(2)),
}


@pytest.mark.parametrize("name", UNARY)
def test_one_array(name: str) -> None:
    @settings(max_examples=25, derandomize=True)
    @given(numbers(), AXIS if name not in ("sum", "mean", "any", "max") else AXES)
    def tried(x: np.ndarray, axis: Any) -> None:
        agrees(lambda np, given: UNARY[name](np, given[0], axis), x)

    tried()


@settings(max_examples=150)
@given(numbers(), st.lists(INDEX, min_size=1, max_size=4).map(tuple), st.booleans())
def test_indices(x: np.ndarray, index: tuple[Any, ...], is_alone: bool) -> None:
    one = index[0] if is_alone else index
    agrees(lambda np, given: given[0][one], x)


ROOT = Path(archspec.__file__).parent
RUN = ("ops", "oracle", "masks", "relation", "rules", "analyses", "checking", "views/html", "views/diagram", "page")


MADE = ("ops/state/", "ops/elementwise/rounded.py")
"""Ops of steps and of rounded values, which passes make: the graph of a spec has none, and a check runs no other."""


def test_only_passes_make_the_ops_that_a_check_does_not_run() -> None:
    named = [f"archspec.{one.strip('/').removesuffix('.py').replace('/', '.')}" for one in MADE]
    sources = [path for room in ("spec", "blocks", "rules", "oracle") for path in (ROOT / room).rglob("*.py")]
    assert [path for path in sources if any(one in path.read_text("utf-8") for one in named)] == []


def test_whatever_a_check_asks_of_numpy_is_there() -> None:
    """An op that a leak goes through is run in the browser, too."""
    wanted = {
        (name, path.relative_to(ROOT).as_posix())
        for folder in RUN
        for path in (ROOT / folder).rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith(MADE)
        for name in re.findall(r"\bnp\.(\w+)", path.read_text("utf-8"))
    }
    # What is measured on artifacts is measured by the Python that built them.
    missing = {one for one in wanted if not hasattr(arrays, one[0]) and one[1] != "rules/measure.py"}
    assert missing == set()


def test_what_is_a_view_in_numpy_is_not_written_to() -> None:
    x = arrays.asarray([[1.0, 2.0], [3.0, 4.0]])
    views = (x[0], x[:, 1], x[:1], x.T, x.swapaxes(0, 1), arrays.broadcast_to(x, (2, 2, 2)), x.T.reshape(4))
    for view in (*views, arrays.moveaxis(x, 0, 1)):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 5.0
        with pytest.raises(ValueError, match="read-only"):
            view += 1.0
    # What is no view is written to, and leaves the array as it is.
    for copy in (x[[0, 1]], x.copy(), x.flatten(), x + 0, arrays.roll(x, 1, 0), arrays.sort(x)):
        copy[0] = 9.0
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    # A shape is a view that shares its numbers here too.
    x.reshape(4)[0] = 7.0
    assert x.tolist()[0][0] == 7.0
    x.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 1.0


def test_other_kinds_and_functions_are_refused() -> None:
    x = arrays.asarray([1, 2])
    for kind in ("float32", "int8", "complex128", "object", str):
        with pytest.raises(TypeError):
            x.astype(kind)
    for name in ("float32", "int32", "linalg", "nansum"):
        with pytest.raises(AttributeError):
            getattr(arrays, name)
    with pytest.raises(TypeError):
        x.sum(where=True)
    with pytest.raises((TypeError, ValueError)):
        arrays.asarray(["a"])
    assert x.dtype != "float32" and x.dtype == "int64" and x.dtype == int
