"""The weights of one rank: its parts of the bundle's file, read one tensor at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.ir.parts import part_number, parts_of
from archspec.ir.placement import Partial, Placement, Shard

if TYPE_CHECKING:
    from torch import Tensor


def write_part(whole: Path, placements: Mapping[str, Placement], rank: int, ranks: int, path: Path) -> None:
    """Write what one rank uses of a safetensors file.

    Of a parameter that is a term, such as the bias of a sum over ranks, rank 0 has all and the others zeros.

    Args:
        whole: the weights of the whole model.
        placements: where each tensor of the file is, by its name.
        rank: the number of the rank.
        ranks: how many there are.
        path: the file to write.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    opener: Any = safe_open
    with opener(whole, framework="pt") as file:
        names: list[str] = file.keys()
        parts = {name: _part(file, name, placements[name], rank, ranks) for name in names}
    save_file(parts, path)


def _part(file: Any, name: str, placement: Placement, rank: int, ranks: int) -> Tensor:
    """What a rank uses of a tensor; of one that is cut, only its part is read."""
    import torch

    if isinstance(placement, Shard):
        opened = file.get_slice(name)
        size = opened.get_shape()[placement.axis] // parts_of(placement, placement.axis, ranks)
        start = part_number(placement, rank) * size
        # safetensors refuses tensors that are not contiguous.
        part: Tensor = opened[(slice(None),) * placement.axis + (slice(start, start + size),)]
        return part.contiguous()
    found: Tensor = file.get_tensor(name)
    return torch.zeros_like(found) if isinstance(placement, Partial) and rank else found
