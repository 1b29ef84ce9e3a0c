from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from archspec.algebra.dim import Dim, Symbol
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.query_valid import QueryValid
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.entail import entails, implies_causal_or_prefix, normal
from archspec.masks.evaluate import evaluate
from archspec.masks.given import Given
from archspec.masks.mask import And, Mask, Or
from tests.masks.worlds import SIZE, World, masks, worlds

CAUSAL, VALID, SEGMENT, PREFIX = Causal(), KeyValid(0), SameSegment(1), Prefix(control=2)
N = Dim.of(SIZE)


def last(n: Dim | int) -> Mask:
    return Last(Dim.of(n))


def within(n: Dim | int) -> Mask:
    return Within(Dim.of(n))


def pairs_in_left_alone(left: Mask, right: Mask, positions: int) -> bool:
    """Brute force: whether some pair is in `left` alone, for sizes at both ends and all that controls can say of it.

    A control says of one pair only whether it holds, so each is given values that make both cases appear anywhere. Of a
    position's own pair a bool control says the same on both sides.
    """
    i = np.arange(positions)
    own = i[:, None] == i
    for n in range(SIZE.min, SIZE.max + 1):
        for bits in range(64):
            held = [np.full((positions, positions), bool(bits >> c & 1)) for c in range(6)]
            held[2] = held[2] | own
            for control in (0, 1):
                held[4 + control] = np.where(own, held[control], held[4 + control])
            a, b = (pointwise(mask, i, held, {"n": n}) for mask in (left, right))
            if (a & ~b).any():
                return True
    return False


def pointwise(mask: Mask, i: np.ndarray, held: list[np.ndarray], sizes: dict[str, int]) -> np.ndarray:
    match mask:
        case And(terms=terms):
            return np.logical_and.reduce([pointwise(term, i, held, sizes) for term in terms])
        case Or(terms=terms):
            return np.logical_or.reduce([pointwise(term, i, held, sizes) for term in terms])
        case KeyValid(control=c) | SameSegment(control=c) | Prefix(length=None, control=c):
            return held[c]
        case QueryValid(control=c):
            return held[4 + c]
        case _:
            return np.asarray(evaluate(mask, len(i), len(i), [], sizes))


@settings(max_examples=300)
@given(masks(), masks())
def test_the_answer_is_that_of_brute_force(left: Mask, right: Mask) -> None:
    answer = entails(left, right)
    if answer is not None:
        assert answer is not pairs_in_left_alone(left, right, 16)


@given(masks())
def test_a_mask_entails_itself_and_what_it_narrows(mask: Mask) -> None:
    assert entails(mask, mask) is True
    assert entails(mask & CAUSAL, CAUSAL) is True
    assert entails(mask & VALID, VALID) is True
    assert entails(CAUSAL, CAUSAL | mask) is True


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (last(3), CAUSAL),
        (last(N), CAUSAL),
        (last(N), last(N + 1)),
        (last(3), within(2)),
        (within(0), CAUSAL),
        (within(0), SEGMENT),
        (within(0), last(1)),
        (last(1), within(0)),
        (within(2) & CAUSAL, last(3)),
        (CAUSAL & VALID, CAUSAL),
        (CAUSAL | PREFIX, PREFIX | CAUSAL),
        (VALID & (CAUSAL | PREFIX), CAUSAL | PREFIX),
        ((VALID & CAUSAL) | (VALID & PREFIX), VALID & (CAUSAL | PREFIX)),
        (last(3) | last(5), last(5)),
        (Prefix(length=Dim.of(3)), Prefix(length=Dim.of(4))),
        (Prefix(length=Dim.of(1)), CAUSAL),
        (CAUSAL & SEGMENT, CAUSAL),
        (CAUSAL, All()),
        (Given(0) & CAUSAL, CAUSAL),
    ],
)
def test_known_implications(left: Mask, right: Mask) -> None:
    assert entails(left, right) is True


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (All(), CAUSAL),
        (CAUSAL, last(3)),
        (within(1), CAUSAL),
        (last(2), SEGMENT),
        (VALID, KeyValid(1)),
        (CAUSAL | VALID, CAUSAL),
        (CAUSAL | PREFIX, CAUSAL),
        (last(N + 1), last(N)),
        (Prefix(length=Dim.of(2)), CAUSAL),
        (CAUSAL, CAUSAL & VALID),
        (CAUSAL, last(Dim.of(Symbol("m", 1000, 2000, 4000)))),
    ],
)
def test_known_refutations(left: Mask, right: Mask) -> None:
    assert entails(left, right) is False


def test_what_a_made_mask_holds_is_not_known() -> None:
    assert entails(CAUSAL, Given(0)) is None
    assert entails(Given(0), Given(0)) is True


def test_windows_of_two_sizes() -> None:
    other = Dim.of(Symbol("m", 1, 4, 6))
    assert entails(last(N), last(other)) is False
    assert entails(last(N), last(N + other)) is True


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (CAUSAL, True),
        (last(4) & VALID, True),
        (CAUSAL | PREFIX, True),
        (VALID & (PREFIX | CAUSAL), True),
        (CAUSAL | Prefix(length=N), True),
        (CAUSAL | Prefix(length=Dim.of(2)) | Prefix(length=Dim.of(3)), True),
        (CAUSAL | PREFIX | Prefix(control=3), False),
        (All(), False),
        (VALID, False),
        (within(1), False),
        (CAUSAL | SEGMENT, False),
        (SEGMENT & CAUSAL, True),
    ],
)
def test_what_a_decoder_may_use(mask: Mask, expected: bool) -> None:
    assert implies_causal_or_prefix(mask) is expected


@given(masks(), worlds())
def test_the_normal_form_is_the_same_mask(mask: Mask, world: World) -> None:
    n = world.positions
    found, expected = (evaluate(m, n, n, world.controls, world.sizes) for m in (normal(mask), mask))
    assert np.array_equal(*np.broadcast_arrays(found, expected))
    assert normal(normal(mask)) == normal(mask)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (CAUSAL & CAUSAL, CAUSAL),
        (CAUSAL & All(), CAUSAL),
        (last(3) & CAUSAL, last(3)),
        (CAUSAL & last(3), last(3)),
        (CAUSAL | last(3), CAUSAL),
        ((CAUSAL & VALID) | CAUSAL, CAUSAL),
        (last(5) & last(3) & VALID, last(3) & VALID),
        (CAUSAL & within(0), within(0)),
        (last(4096), last(4096)),
        (VALID & (CAUSAL | last(3)), VALID & CAUSAL),
    ],
)
def test_what_is_idle_goes(mask: Mask, expected: Mask) -> None:
    assert normal(mask) == expected
