from __future__ import annotations

from itertools import product
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from archspec.layouts.rearrange import Misfit, rearrange
from archspec.text.nodes import TextNode
from archspec.text.rearrange import RearrangePattern, Side, parse_rearrange

NAMES = ("a", "b", "c", "d")


def parsed(text: str) -> RearrangePattern:
    return parse_rearrange(TextNode.of(text))


def place(axes: Side, at: dict[str, int], sizes: dict[str, int]) -> tuple[int, ...]:
    """The index in a tensor with these axes of the element whose coordinates are `at`."""
    index = []
    for names in axes:
        number = 0
        for name in names:
            number = number * sizes[name] + at[name]
        index.append(number)
    return tuple(index)


def by_hand(tensor: Tensor, pattern: RearrangePattern, sizes: dict[str, int]) -> Tensor:
    """One element at a time."""
    made = torch.empty([prod(sizes[name] for name in names) for names in pattern.right], dtype=tensor.dtype)
    for numbers in product(*(range(sizes[name]) for name in pattern.names)):
        at = dict(zip(pattern.names, numbers, strict=True))
        made[place(pattern.right, at, sizes)] = tensor[place(pattern.left, at, sizes)]
    return made


@st.composite
def sides(draw: st.DrawFn, names: tuple[str, ...]) -> str:
    """The names in some order, cut into axes, with axes of size 1 between."""
    order = draw(st.permutations(names))
    words, rest = [], list(order)
    while rest:
        if draw(st.booleans()):
            words.append(draw(st.sampled_from(["1", "()"])))
        count = draw(st.integers(1, len(rest)))
        taken, rest = rest[:count], rest[count:]
        words.append(taken[0] if count == 1 else f"({' '.join(taken)})")
    return " ".join(words)


@st.composite
def cases(draw: st.DrawFn) -> tuple[RearrangePattern, dict[str, int]]:
    names = NAMES[: draw(st.integers(1, 4))]
    pattern = parsed(f"{draw(sides(names))} -> {draw(sides(names))}")
    return pattern, {name: draw(st.integers(1, 3)) for name in names}


@given(cases())
def test_it_moves_every_element_where_the_pattern_says_and_back(case: tuple[RearrangePattern, dict[str, int]]) -> None:
    pattern, sizes = case
    shape = [prod(sizes[name] for name in names) for names in pattern.left]
    tensor = torch.arange(prod(shape)).reshape(shape)
    made = rearrange(tensor, pattern.left, pattern.right, sizes)
    assert torch.equal(made, by_hand(tensor, pattern, sizes))
    assert torch.equal(rearrange(made, pattern.right, pattern.left, sizes), tensor)


@given(cases())
def test_what_is_printed_reads_back(case: tuple[RearrangePattern, dict[str, int]]) -> None:
    assert parsed(str(case[0])) == case[0]


def test_one_open_size_of_an_axis_follows_from_its_shape() -> None:
    pattern = parsed("(h d) i -> h i d")
    assert rearrange(torch.zeros(6, 2), pattern.left, pattern.right, {"d": 3}).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("shape", "sizes", "reason"),
    [
        ((6, 2), {}, "the sizes of `h` and `d` are open"),
        ((6, 2), {"d": 4}, "an axis of 6 is not `h d` with 4 known"),
        ((6, 2), {"h": 2, "d": 2}, "an axis of 6 is not `h d` with 4 known"),
        ((6, 2), {"d": 3, "i": 3}, "an axis of 2 is not `i`"),
        ((6,), {}, "the pattern has 2 axes, but the tensor has 1"),
    ],
)
def test_a_shape_that_does_not_fit(shape: tuple[int, ...], sizes: dict[str, int], reason: str) -> None:
    pattern = parsed("(h d) i -> h i d")
    with pytest.raises(Misfit) as raised:
        rearrange(torch.zeros(shape), pattern.left, pattern.right, sizes)
    assert str(raised.value) == reason


def test_a_pure_permutation_is_a_view() -> None:
    pattern, tensor = parsed("a b c -> c 1 a b"), torch.zeros(2, 3, 4)
    assert rearrange(tensor, pattern.left, pattern.right, {}).data_ptr() == tensor.data_ptr()
