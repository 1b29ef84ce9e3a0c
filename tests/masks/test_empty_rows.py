from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given

from archspec.algebra.dim import Dim
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.empty_rows import may_leave_row_empty
from archspec.masks.evaluate import evaluate
from archspec.masks.given import Given
from archspec.masks.mask import Mask
from tests.masks.worlds import LENGTH, SEGMENTS, SIZE, masks

CAUSAL, VALID, SEGMENT = Causal(), KeyValid(0), SameSegment(SEGMENTS)
RIGHT, LEFT = ("right",), ("left",)
TWO = Dim.of(2)


def rows(positions: int, promise: str | None) -> list[tuple[bool, ...]]:
    """All values of a bool control that keep its promise."""
    found = list(product([False, True], repeat=positions))
    padded = [(True,) * count + (False,) * (positions - count) for count in range(1, positions + 1)]
    return {None: found, "right": padded, "left": [row[::-1] for row in padded]}[promise]


def some_row_is_empty(mask: Mask, promises: tuple[str | None, ...]) -> bool:
    """Brute force up to three positions, over all values of the controls that keep their promises."""
    first, second = (*promises, None, None)[:2]
    for n in range(1, 4):
        values = product(rows(n, first), rows(n, second), product(range(2), repeat=n), range(n + 1))
        controls = [np.array(control) for control in zip(*values, strict=True)]
        for size in range(SIZE.min, SIZE.max + 1):
            if not evaluate(mask, n, n, controls, {"n": size}).any(-1).all():
                return True
    return False


@pytest.mark.parametrize(
    ("mask", "promises"),
    [
        (All(), ()),
        (CAUSAL, ()),
        (SEGMENT, ()),
        (CAUSAL & SEGMENT, ()),
        (Last(TWO) & SEGMENT, ()),
        (Within(Dim.of(0)), ()),
        (Last(Dim.of(SIZE)), ()),
        (VALID, RIGHT),
        (VALID, LEFT),
        (CAUSAL & VALID, RIGHT),
        (VALID & KeyValid(1), ("right", "right")),
        (CAUSAL & VALID & Prefix(length=TWO), RIGHT),
        (CAUSAL | VALID, ()),
        (CAUSAL | (VALID & SEGMENT), ()),
        (CAUSAL | Prefix(control=LENGTH), ()),
        (CAUSAL & (SEGMENT | VALID), ()),
    ],
)
def test_rows_that_always_have_a_key(mask: Mask, promises: tuple[str, ...]) -> None:
    assert may_leave_row_empty(mask, promises) is False
    assert not some_row_is_empty(mask, promises)


@pytest.mark.parametrize(
    ("mask", "promises"),
    [
        (VALID, ()),
        (CAUSAL & VALID, ()),
        (CAUSAL & VALID, LEFT),
        (Last(TWO) & VALID, RIGHT),
        (Within(Dim.of(1)) & VALID, RIGHT),
        (SEGMENT & VALID, RIGHT),
        (VALID & KeyValid(1), ("right", "left")),
        (VALID & KeyValid(1), ("right",)),
        (Prefix(control=LENGTH), ()),
        (SEGMENT & Prefix(length=Dim.of(1)), ()),
    ],
)
def test_rows_that_may_have_none(mask: Mask, promises: tuple[str, ...]) -> None:
    assert may_leave_row_empty(mask, promises) is True
    assert some_row_is_empty(mask, promises)


@given(masks())
def test_a_row_called_safe_is_never_empty(mask: Mask) -> None:
    for promises in ((), RIGHT, LEFT, ("right", "right")):
        if not may_leave_row_empty(mask, promises):
            assert not some_row_is_empty(mask, promises)


def test_a_mask_made_with_its_rows_to_keep() -> None:
    assert may_leave_row_empty(Given(0)) is False
    assert may_leave_row_empty(Given(0, 1)) is True
    assert may_leave_row_empty(Given(0) & CAUSAL) is True
    assert may_leave_row_empty(Given(0) & Given(1)) is True
    assert may_leave_row_empty(Given(0) | VALID) is False
