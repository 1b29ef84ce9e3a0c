from __future__ import annotations

from hypothesis import given

from archspec.algebra.dim import Dim
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.mask import Mask
from archspec.masks.witness import refuted
from tests.masks.test_entail import pairs_in_left_alone
from tests.masks.worlds import masks


@given(masks(), masks())
def test_only_what_has_a_counterexample_is_refuted(left: Mask, right: Mask) -> None:
    assert not refuted(left, right) or pairs_in_left_alone(left, right, 16)


def test_a_position_is_in_its_own_segment() -> None:
    assert not refuted(Last(Dim.of(1)), SameSegment(0))
    assert not refuted(Within(Dim.of(0)) & KeyValid(1), SameSegment(0))
    assert refuted(Last(Dim.of(2)), SameSegment(0))


def test_too_many_controls_to_try_refute_nothing() -> None:
    many = Causal()
    for control in range(9):
        many = many | KeyValid(control)
    assert not refuted(many, Causal())
    assert refuted(Causal() | KeyValid(0), Causal())
