from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from archspec.algebra.dim import Dim
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.coordinates import Coordinates
from archspec.masks.mask import Mask
from archspec.masks.relation import relation
from archspec.relation.evaluate import matrix
from tests.masks.worlds import LENGTH, World, masks, table, worlds


@given(masks(), worlds())
def test_the_relation_of_a_mask_is_the_mask(mask: Mask, world: World) -> None:
    """Coordinates are (batch, query, other) and (other, batch, key), so that none stands at its own number."""
    at = Coordinates(
        query=(1,),
        key=(2,),
        out_leading=(0,),
        in_leading=(1,),
        first=3,
        plain=frozenset() if world.batched else frozenset(range(LENGTH + 1)),
    )
    n, b = world.positions, world.batch
    keyed = {3 + number: control for number, control in enumerate(world.controls)}
    found = matrix(relation(mask, at), (b, n, 2), (2, b, n), keyed, world.sizes)
    expected = table(mask, world)
    for batch in range(b):
        for other in np.ndindex(2, 2):
            assert np.array_equal(found[batch, :, other[0], other[1], batch, :], expected[batch])


def flat_mask(mask: Mask, rows: int, columns: int) -> np.ndarray:
    at = Coordinates(query=(0, 1), key=(0, 1))
    found = matrix(relation(mask, at), (rows, columns), (rows, columns), {}, {})
    return found.reshape(rows * columns, rows * columns)


def test_causality_over_factors_is_that_of_the_flat_position() -> None:
    assert np.array_equal(flat_mask(Causal(), 3, 4), np.tril(np.ones((12, 12), dtype=bool)))


@pytest.mark.parametrize("mask", [Last(Dim.of(2)), Within(Dim.of(3))])
def test_windows_over_factors_are_widened_never_narrowed(mask: Mask) -> None:
    i, j = np.arange(12)[:, None], np.arange(12)
    exact = (j <= i) & (j > i - 2) if isinstance(mask, Last) else abs(i - j) <= 3
    assert not (exact & ~flat_mask(mask, 3, 4)).any()


def test_controls_out_of_place_are_left_out() -> None:
    at = Coordinates(query=(0,), key=(0,), loose=frozenset({(0, "key"), (1, "query")}))
    assert relation(Causal() & KeyValid(0) & SameSegment(1), at) == relation(Causal(), at)
