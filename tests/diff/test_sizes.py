"""Sizes over the symbols that two specs share have the values that they had over their own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.algebra.substitution import substituted, substituted_number
from archspec.diff.places import LayerSet, StepPlace, merged

OLD = Symbol("s", 4, 8, 64, 4), Symbol("t", 1, 2, 9)
NEW = Symbol("length", 8, 8, 64, 8), Symbol("u", 1, 1, 20)
SYMBOLS = dict(zip(OLD, NEW, strict=True))


@st.composite
def dims(draw: st.DrawFn) -> Dim:
    found = Dim.of(draw(st.integers(0, 5)))
    for _ in range(draw(st.integers(1, 4))):
        other = Dim.of(draw(st.sampled_from(OLD))) + draw(st.integers(0, 3))
        found = draw(st.sampled_from([found + other, found * other, found // 3, found % 5, (found + 1) // other]))
    return found


@given(dims(), st.integers(1, 8), st.integers(1, 9))
def test_values_are_kept(size: Dim, eighths: int, t: int) -> None:
    old, new = {"s": 8 * eighths, "t": t}, {"length": 8 * eighths, "u": t}
    assert substituted(size, SYMBOLS).value(new) == size.value(old)
    number = (Scalar.of(size) + 1).sqrt() / Scalar.of(3) + Scalar.of(size)
    assert substituted_number(number, SYMBOLS).evaluate(new) == number.evaluate(old)


def test_layers_of_one_path_are_told_together() -> None:
    def at(*layers: int) -> StepPlace:
        return StepPlace("states.layers.*.norm", (LayerSet(frozenset(layers), 6),))

    assert merged([at(0, 2, 4), at(1, 3, 5)]) == ["states.layers.*.norm"]
    assert merged([at(0), at(1), at(2)]) == ["states.layers.0-2.norm"]
    assert merged([at(5), StepPlace("logits")]) == ["states.layers.5.norm", "logits"]
