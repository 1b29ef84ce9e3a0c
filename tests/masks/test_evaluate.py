from __future__ import annotations

import numpy as np
from hypothesis import given

from archspec.masks.atoms.prefix import Prefix
from archspec.masks.evaluate import evaluate
from archspec.masks.given import Given
from archspec.masks.mask import Mask
from tests.masks.worlds import World, masks, table, worlds


@given(masks(), worlds())
def test_a_mask_means_what_the_language_says(mask: Mask, world: World) -> None:
    found = evaluate(mask, world.positions, world.positions, world.controls, world.sizes)
    expected = table(mask, world)
    assert found.shape[-2:] == (world.positions, world.positions)
    assert np.array_equal(np.broadcast_to(found, expected.shape), expected)


def test_queries_and_keys_may_differ_in_number() -> None:
    found = evaluate(Prefix(control=0), 2, 4, [np.array([1, 3])], {})
    assert found.tolist() == [[[True, False, False, False]] * 2, [[True, True, True, False]] * 2]


def test_a_given_mask_loses_the_rows_that_are_not_kept() -> None:
    made = np.array([[[[True, False], [True, True]]]])
    keep = np.array([[[[True], [False]]]])
    assert evaluate(Given(0), 2, 2, [made], {}).tolist() == [[[True, False], [True, True]]]
    assert evaluate(Given(0, 1), 2, 2, [made, keep], {}).tolist() == [[[True, False], [False, False]]]
