from __future__ import annotations

import numpy as np
from hypothesis import given

from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.evaluate import evaluate
from archspec.masks.given import Given
from archspec.masks.mask import Mask
from archspec.masks.walk import compares_positions, controls, renumbered
from tests.masks.worlds import World, masks, worlds


def test_controls_come_in_order_of_use() -> None:
    assert controls((SameSegment(4) | KeyValid(1)) & Prefix(control=0) & KeyValid(1) & Given(3, 2)) == (4, 1, 0, 3, 2)


@given(masks(), worlds())
def test_renumbering_follows_the_operands(mask: Mask, world: World) -> None:
    numbers = {0: 2, 1: 0, 2: 3, 3: 1}
    moved = [world.controls[old] for new in range(4) for old in numbers if numbers[old] == new]
    n = world.positions
    found = evaluate(renumbered(mask, numbers), n, n, moved, world.sizes)
    assert np.array_equal(found, evaluate(mask, n, n, world.controls, world.sizes))


def test_which_masks_compare_positions() -> None:
    assert compares_positions(KeyValid(0) & Causal())
    assert not compares_positions(KeyValid(0) & Prefix(control=1))
