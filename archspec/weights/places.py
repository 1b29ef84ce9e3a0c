"""Where blocks of values go: the numbers of entries are moved in place of the entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

from archspec.layouts.operations import Operation, Shape

if TYPE_CHECKING:
    from torch import Tensor


def places_of_blocks(
    operations: Sequence[Operation],
    shapes: Sequence[Shape],
    block: int,
    move: Callable[[list[Tensor]], Sequence[Tensor]],
) -> list[Tensor] | None:
    """Tell for each block that results have which block of what is moved it is.

    Args:
        operations: what `move` applies.
        shapes: those of the tensors that are moved; blocks are counted through all of them.
        block: how many neighbours on the last axis are one block.
        move: from tensors of these shapes to results.

    Returns:
        for each result the numbers of its blocks, int64 [..., blocks of the last axis]; None where a block is cut or
        mixed, or values are computed.
    """
    import torch

    if not all(one.moves for one in operations):
        return None
    ends = [0, *accumulate(map(prod, shapes))]
    # Half the memory, wherever the numbers fit.
    dtype = torch.int32 if ends[-1] < 2**31 else torch.int64
    numbers = [torch.arange(start, start + prod(one), dtype=dtype) for start, one in zip(ends, shapes, strict=False)]
    found = []
    for moved in move([one.reshape(shape) for one, shape in zip(numbers, shapes, strict=True)]):
        if not moved.dim() or moved.shape[-1] % block:
            return None
        blocks = moved.reshape(*moved.shape[:-1], -1, block)
        first = blocks[..., :1]
        if (first % block).any() or not torch.equal(blocks - first, torch.arange(block, dtype=dtype).expand_as(blocks)):
            return None
        found.append(first[..., 0].long() // block)
    return found
