"""Arrays in lists agree with NumPy: operation by operation, and in what the checker says with one or the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from archspec.page import arrays
from archspec.page.arrays import products
from tests.diagnostics.corpus_case import CASES as CORPUS

ROOT = Path(__file__).resolve().parents[2]
Case = Callable[[ModuleType, Any, Any, Any], Any]
CASES: dict[str, Case] = {
    "broadcast": lambda np, x, n, b: x[:, None] * x[:1] + n[..., None, :],
    "quotients": lambda np, x, n, b: (x / (n - 2), n // 2, n % 3, -x, abs(x), 2 - n, 1 / (n * 0.0 + x)),
    "powers": lambda np, x, n, b: (x**2, 2.0**n, n**2, abs(x) ** 0.5, (x * 1e200) ** 3, x**0, b[0] ** 2),
    "comparisons": lambda np, x, n, b: (x > 0, n == 2, n != x, ~b, b & (x > 0), b | (n < 2), b ^ b),
    "in place": lambda np, x, n, b: [y := np.array(x), y.__iadd__(n), y.__imul__(2.0)][0],
    "slices": lambda np, x, n, b: (x[1], x[..., ::-1], x[:, 1:], x[-1, ..., 0], x[None, :, None], x[::2, -2:]),
    "arrays as indices": lambda np, x, n, b: (x[n[0, 0] % 2], x[:, :, n[0, 0]], x[n[0, 0, :2] % 2, [0, 1]], x[b]),
    "masks of the whole": lambda np, x, n, b: (x[b], n[x > 0], b[b], x[x > 9]),
    "not written to": lambda np, x, n, b: [
        y := np.resize(x, (40,)),
        y.setflags(write=False),
        w := y[4:34].reshape(5, 6),
        (w, w[1:3], w[2], w[[0, 3]], w.T, x[0] @ w[:4], w[:, 1:] @ w[0, 1:], w @ w.T, w.T @ w, w + 1, w[1, 2] * x, y),
    ][-1],
    "apart": lambda np, x, n, b: x[[0, 1], :, [2, 1]],
    "written": lambda np, x, n, b: [y := np.array(x), y.__setitem__((slice(None), 1), n[:, 1]), y.__setitem__(b, 0)][0],
    "written by ix_": lambda np, x, n, b: [
        y := np.zeros((3, 4)),
        y.__setitem__(np.ix_([0, 2], [1, 3]), np.arange(4).reshape(2, 2)),
    ][0],
    "reductions": lambda np, x, n, b: (
        *(x.sum(axis=1), x.mean(axis=(0, 2), keepdims=True), x.var(axis=-1), n.max(axis=0), n.min(), b.any(axis=1)),
        *(b.all(), n.prod(axis=-1), x.argmax(axis=1), n.sum(axis=(0, 1)), x.max(initial=9.0), b.sum()),
    ),
    "axes": lambda np, x, n, b: (
        *(x.T, x.swapaxes(0, 2), x.transpose(1, 0, 2), np.moveaxis(x, 0, -1), x.reshape(-1, 2), x.ravel()),
        *(np.roll(n, 1, axis=-1), np.roll(n, (1, -2), axis=(1, 2)), np.repeat(n, 2, axis=1), x[0].T @ x[1]),
    ),
    "products": lambda np, x, n, b: (
        *(x @ x.swapaxes(-1, -2), x @ x[0].T, x[0, 0] @ x[0].T, n @ n[0].T, np.tensordot(x, n, ([1], [1]))),
        *(np.einsum("abc,adc->abd", x, n), np.einsum("ab...,bd->ad...", x, x[0, :, :2]), np.matmul(x[0].T, x[1])),
    ),
    "stretches": lambda np, x, n, b: (
        *(np.concatenate([x, n], axis=1), np.stack([x, x], axis=1), *np.split(n, 2, axis=2)),
        *(np.pad(x, [(0, 0), (1, 2), (0, 1)]), np.pad(n, [(1, 0), (0, 0), (2, 1)], mode="wrap")),
        *(np.cumsum(n, axis=1), np.diff(n, axis=0), np.sort(x, axis=1), np.argsort(n, axis=-1, kind="stable")),
        *(np.resize(n, (5, 7)), np.broadcast_to(x[0], (2, 3, 4)), n.take(np.arange(2), axis=2)),
    ),
    "functions": lambda np, x, n, b: (
        *(np.exp(x), np.sin(x), np.tanh(x), np.sqrt(abs(x)), np.maximum(x, 0), np.minimum(n, x), np.floor(x)),
        *(np.where(b, x, n), np.clip(x, -0.5, None), np.logaddexp(x, n), np.isfinite(x), np.logical_not(b)),
        *(np.log(abs(x)), np.equal(n, 1), np.abs(x), *np.divmod(n, 2), np.exp(x * 1000.0), np.log(x * 0.0)),
    ),
    "places": lambda np, x, n, b: (
        *(
            np.argwhere(b),
            np.flatnonzero(b),
            np.array(np.unravel_index(7, x.shape)),
            np.searchsorted([0, 2, 5], n, "right"),
        ),
        *np.unique(np.packbits(b.reshape(4, 6), axis=1), axis=0, return_index=True),
        np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(1, 2)),
    ),
    "made": lambda np, x, n, b: (
        *(np.arange(3), np.arange(1, 9, 3), np.zeros((2, 2)), np.ones(3, dtype=bool), np.full((2,), -1)),
        *(np.asarray([[1, 2], [3, 4.5]]), np.asarray(True), np.zeros_like(n), np.full_like(x, 2), n.astype(float)),
        *(
            np.asarray([list(range(2)), [True, False]]),
            x.astype(int),
            n.astype(bool),
            np.array(np.broadcast_shapes((3, 1), (4,))),
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_numpy(name: str) -> None:
    r = np.random.default_rng(5)
    given = (r.normal(size=(2, 3, 4)), r.integers(0, 4, size=(2, 3, 4)), r.random(size=(2, 3, 4)) < 0.5)
    with np.errstate(all="ignore"):
        wanted = CASES[name](np, *(one.copy() for one in given))
    found = CASES[name](arrays, *(arrays.asarray(one.tolist()) for one in given))
    one_by_one = zip(wanted, found, strict=True) if isinstance(wanted, tuple) else [(wanted, found)]
    for k, (a, b) in enumerate(one_by_one):
        ours = np.asarray(b.tolist() if isinstance(b, arrays.ndarray) else b)
        assert ours.shape == np.shape(a), (name, k)
        np.testing.assert_allclose(ours, a, rtol=1e-12, atol=1e-14, err_msg=f"{name} {k}")
        if isinstance(b, arrays.ndarray) and isinstance(a, np.ndarray):
            assert b.dtype.kind == a.dtype.kind.replace("u", "i"), (name, k)


def test_refuses_what_numpy_refuses() -> None:
    x = arrays.zeros((2, 3))
    for wrong in (lambda: x + arrays.zeros(2), lambda: x @ x, lambda: x.reshape(4, 2), lambda: bool(x)):
        with pytest.raises(ValueError):
            wrong()
    for beyond in (lambda: x[2], lambda: x[0, 3], lambda: x[:, arrays.asarray([0, 5])], lambda: x[0, 0, 0]):
        with pytest.raises(IndexError):
            beyond()


def test_random_numbers_are_normal_and_repeat_by_seed() -> None:
    first, again, other = (arrays.random.default_rng(seed).normal(size=(50, 40)).tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert abs(np.mean(first)) < 0.1
    assert abs(np.std(first) - 1) < 0.1


def test_large_products_may_be_computed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def multiply(rows: Any, columns: Any, made: Any, inner: int) -> None:
        calls.append(len(made))
        made[:] = type(made)("d", (np.reshape(rows, (-1, inner)) @ np.reshape(columns, (-1, inner)).T).ravel())

    monkeypatch.setattr(products, "_outside", [])
    products.multiply_by(multiply)
    r = np.random.default_rng(1)
    x, w = r.normal(size=(2, 30, 40)), r.normal(size=(50, 40))
    ours, turned = arrays.asarray(x.tolist()), arrays.asarray(w.tolist())
    for found, wanted in (
        (ours @ turned.T, x @ w.T),
        (ours @ turned.T.copy(), x @ w.T),
        (ours[0, :2] @ turned.T, x[0, :2] @ w.T),
    ):
        np.testing.assert_allclose(found.tolist(), wanted, rtol=1e-12)
    # The last is small enough for Python.
    assert calls == [3000, 3000]


_WITHOUT_NUMPY = """
import os, sys, tempfile
from pathlib import Path
from archspec.page.browser import start
start()
from archspec.diagnostics import render
from archspec.page import arrays
from tests.diagnostics.corpus_case import CASES, copy_to, found_in
assert sys.modules["numpy"] is arrays
for path in CASES:
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        copy_to(Path(name), path)
        if render(found_in(path)) != path.with_suffix(".txt").read_text("utf-8"):
            print(path.stem)
"""


@pytest.mark.slow
def test_diagnostics_of_the_corpus_are_the_same_without_numpy() -> None:
    words = [sys.executable, "-c", _WITHOUT_NUMPY]
    done = subprocess.run(words, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
    assert len(CORPUS) > 100
