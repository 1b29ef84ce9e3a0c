"""The part of a distributed tensor that this rank holds: where its entries lie in the whole."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from archspec.layouts.deferred import Box, Deferred, Range

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.distributed.tensor import DTensor


def is_distributed(tensor: Tensor) -> TypeGuard[DTensor]:
    """Whether a tensor is a DTensor."""
    # Where nobody loaded its module there is none, and loading it takes time.
    loaded = sys.modules.get("torch.distributed.tensor")
    return loaded is not None and isinstance(tensor, loaded.DTensor)


def device_of(tensors: Iterable[Tensor]) -> torch.device:
    """Return the device on which ranks communicate: that of the mesh of the first DTensor, or of the tensors."""
    import torch

    known = list(tensors)
    meshes = [one.device_mesh.device_type for one in known if is_distributed(one)]
    plain = [one.device for one in known if not one.is_meta]
    return torch.device(meshes[0]) if meshes else plain[0] if plain else torch.device("cpu")


def local_part(tensor: Tensor) -> Tensor:
    """Return the memory of what this rank holds, without gradients."""
    held = tensor.detach()
    return held.to_local() if is_distributed(held) else held


def ranges_of(tensor: Tensor) -> list[list[Range]]:
    """Return for each axis the ranges of entries that this rank holds, in order: all of them for a plain tensor.

    Axes that two dimensions of the mesh split may have several ranges; a rank beyond the last entry has none.
    """
    if not is_distributed(tensor):
        return [[(0, size)] for size in tensor.shape]
    return [_runs(_held(tensor, axis)) for axis in range(tensor.dim())]


def _held(tensor: DTensor, axis: int) -> list[int]:
    """Return the indices of an axis that this rank holds."""
    import torch
    from torch.distributed.tensor import Placement, Replicate, Shard, distribute_tensor

    placements: list[Placement] = []
    for placement in tensor.placements:
        # Only `Shard` and its kinds have an axis; a split of another one leaves all of this.
        if getattr(placement, "dim", None) != axis:
            placements.append(Replicate())
        elif factor := getattr(placement, "split_factor", None):
            along: Any = type(placement)
            placements.append(along(0, split_factor=factor))
        else:
            placements.append(Shard(0))
    whole = torch.arange(tensor.shape[axis])
    # Without a source each rank cuts its own copy, and nothing is sent.
    part = distribute_tensor(whole, tensor.device_mesh, placements, src_data_rank=None)
    return list(map(int, part.to_local().tolist()))


def _runs(indices: Sequence[int]) -> list[Range]:
    """Return consecutive indices as ranges."""
    runs: list[Range] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def read_part(source: Deferred, held: Tensor) -> Tensor:
    """Read what this rank holds of a tensor, which is distributed as `held` is, and nothing else."""
    import torch

    ranges = ranges_of(held)
    if all(ranges):
        return _read(source, ranges, ())
    return torch.empty([sum(stop - start for start, stop in runs) for runs in ranges], dtype=held.dtype)


def cut(whole: Tensor, held: Tensor) -> Tensor:
    """Return what this rank holds of a tensor in memory, which is distributed as `held` is: in memory of its own."""
    import torch

    for axis, runs in enumerate(ranges_of(held)):
        parts = [whole.narrow(axis, start, stop - start) for start, stop in runs]
        whole = torch.cat(parts, axis) if len(parts) > 1 else parts[0] if parts else whole.narrow(axis, 0, 0)
    return whole.clone() if is_distributed(held) else whole


def _read(source: Deferred, ranges: Sequence[Sequence[Range]], box: Box) -> Tensor:
    """Read the ranges of the axes after those of `box`."""
    import torch

    if len(box) == len(ranges):
        return source.read(box)
    parts = [_read(source, ranges, (*box, found)) for found in ranges[len(box)]]
    return parts[0] if len(parts) == 1 else torch.cat(parts, len(box))
