"""Rearrange a tensor by a pattern: reshape, permute, reshape. Swapping the sides gives the inverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from archspec.text.rearrange import Side

if TYPE_CHECKING:
    from torch import Tensor


class Misfit(Exception):
    """An operation cannot be applied to tensors of these shapes or dtypes."""


def rearrange(tensor: Tensor, left: Side, right: Side, sizes: Mapping[str, int]) -> Tensor:
    """Return the tensor with its axes, named as in `left`, in the order and grouping of `right`.

    A view if the strides allow one. `sizes` gives sizes that the shape leaves open. Raises Misfit if the shape does not
    fit `left`.
    """
    found = solve(tuple(tensor.shape), left, sizes)
    names = [name for axis in left for name in axis]
    order = [names.index(name) for axis in right for name in axis]
    # With every axis split into its named parts, the new order is a permutation.
    split = tensor.reshape([found[name] for name in names]).permute(order)
    return split.reshape([prod(found[name] for name in axis) for axis in right])


def solve(shape: Sequence[int], side: Side, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the size of every named axis of a side.

    `sizes` are sizes known before. Raises Misfit if the shape does not fit, or leaves a size open.
    """
    if len(shape) != len(side):
        raise Misfit(f"the pattern has {len(side)} axes, but the tensor has {len(shape)}")
    found = dict(sizes)
    for size, axis in zip(shape, side, strict=True):
        _solve_axis(size, axis, found)
    return found


def _solve_axis(size: int, axis: tuple[str, ...], found: dict[str, int]) -> None:
    """Add the one unknown size of a merged axis to `found`, or check the size if all are known."""
    unknown = [name for name in axis if name not in found]
    known = prod(found[name] for name in axis if name in found)
    if len(unknown) > 1:
        raise Misfit(f"the sizes of {' and '.join(f'`{name}`' for name in unknown)} are open")
    if unknown and known and size % known == 0:
        found[unknown[0]] = size // known
    elif unknown or known != size:
        written = " ".join(axis) or "1"
        raise Misfit(f"an axis of {size} is not `{written}`" + (f" with {known} known" if len(axis) > 1 else ""))
