"""Position tables against values written out from the papers."""

from __future__ import annotations

from math import cos, sin

import numpy as np
import pytest

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.op import Primitive
from archspec.ops.position.grid_sincos import GridSincos
from archspec.ops.position.sinusoidal import SinusoidalPositions


def table(op: Primitive, length: int, features: int) -> np.ndarray:
    (result,) = op.reference([np.zeros((1, length, features))], {}, {})
    return result


def test_sines_and_cosines_alternate() -> None:
    expected = [sin(3), cos(3), sin(3 / 100), cos(3 / 100)]
    np.testing.assert_allclose(table(SinusoidalPositions(), 4, 4)[3], expected, rtol=1e-14)


def test_halves_hold_the_same_numbers() -> None:
    halves = table(SinusoidalPositions(layout="halves"), 7, 10)
    np.testing.assert_array_equal(
        np.concatenate([halves[:, :5], halves[:, 5:]], axis=1).reshape(7, 2, 5).swapaxes(1, 2).reshape(7, 10),
        table(SinusoidalPositions(), 7, 10),
    )


@pytest.mark.parametrize("base", [10000.0, 50.0, Scalar.of(50)])
def test_the_endpoint_makes_the_lowest_frequency_one_over_the_base(base: float | Scalar) -> None:
    number = base.evaluate({}) if isinstance(base, Scalar) else base
    found = table(SinusoidalPositions(base=base, layout="halves", endpoint=True), 2, 12)
    np.testing.assert_allclose(np.arcsin(found[1, 5]), 1 / number, rtol=1e-12)
    without = table(SinusoidalPositions(base=base, layout="halves"), 2, 12)
    np.testing.assert_allclose(np.arcsin(without[1, 5]), number ** (-5 / 6), rtol=1e-12)


def test_a_grid_holds_the_column_before_the_row() -> None:
    found = table(GridSincos(rows=Dim.of(2), columns=Dim.of(3)), 6, 8)
    column, row = 2, 1
    expected = [f(p * w) for p in (column, row) for f in (sin, cos) for w in (1, 1 / 100)]
    np.testing.assert_allclose(found[row * 3 + column], expected, rtol=1e-14)
