"""Rearranging a tensor by a pattern, there and back: a reshape, a permutation, a reshape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from archspec.text.rearrange import Side

if TYPE_CHECKING:
    from torch import Tensor


class Misfit(Exception):
    """A tensor whose shape an operation cannot take."""


def rearrange(tensor: Tensor, left: Side, right: Side, sizes: Mapping[str, int]) -> Tensor:
    """The tensor with its axes as `right` writes them, where `left` writes those that it has.

    A view where the strides allow one. `sizes` gives those that the shape leaves open.
    Raises Misfit where the shape does not fit `left`.
    """
    found = solve(tuple(tensor.shape), left, sizes)
    names = [name for axis in left for name in axis]
    order = [names.index(name) for axis in right for name in axis]
    split = tensor.reshape([found[name] for name in names]).permute(order)
    return split.reshape([prod(found[name] for name in axis) for axis in right])


def solve(shape: Sequence[int], side: Side, sizes: Mapping[str, int]) -> dict[str, int]:
    """The size of every named axis of a side. Raises Misfit where the shape does not fit, or leaves a size open."""
    if len(shape) != len(side):
        raise Misfit(f"the pattern has {len(side)} axes, but the tensor has {len(shape)}")
    found = dict(sizes)
    for size, axis in zip(shape, side, strict=True):
        _solve_axis(size, axis, found)
    return found


def _solve_axis(size: int, axis: tuple[str, ...], found: dict[str, int]) -> None:
    unknown = [name for name in axis if name not in found]
    known = prod(found[name] for name in axis if name in found)
    if len(unknown) > 1:
        raise Misfit(f"the sizes of {' and '.join(f'`{name}`' for name in unknown)} are open")
    if unknown and known and size % known == 0:
        found[unknown[0]] = size // known
    elif unknown or known != size:
        written = " ".join(axis) or "1"
        raise Misfit(f"an axis of {size} is not `{written}`" + (f" with {known} known" if len(axis) > 1 else ""))
