from __future__ import annotations

import pytest

from archspec.algebra.dim import Dim, Symbol
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.given import Given
from archspec.masks.mask import Mask
from archspec.masks.walk import text

CAUSAL, VALID = Causal(), KeyValid(0)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (All(), "all"),
        (CAUSAL & VALID, "causal & key_valid(a)"),
        ((CAUSAL | Prefix(control=1)) & VALID, "(causal | prefix(b)) & key_valid(a)"),
        (CAUSAL & VALID | SameSegment(1), "causal & key_valid(a) | same_segment(b)"),
        (Last(Dim.of(Symbol("n", 1, 2, 3)) + 1) | Within(Dim.of(4)), "last(n + 1) | within(4)"),
        (Prefix(length=Dim.of(7)), "prefix(7)"),
        (Given(1, 0), "b"),
    ],
)
def test_masks_are_written_as_the_language_has_them(mask: Mask, expected: str) -> None:
    assert text(mask, ["a", "b"]) == expected
