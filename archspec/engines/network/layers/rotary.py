"""Rotary positions from tables, and the caches of keys and values."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes, integers
from archspec.engines.network.plan import Attributes


@computes("ROTARY_EMBEDDING")
def rotary(at: Attributes, x: Tensor, cosines: Tensor, sines: Tensor, positions: Tensor | None = None) -> Tensor:
    """x [b h s d]: pairs of its first features turned; the tables are [b s d/2], or [rows d/2] with positions."""
    width = at["rotary_embedding_dim"] or x.shape[-1]
    if positions is not None:
        cosines, sines = cosines[positions.long()], sines[positions.long()]
    cos, sin = (table.unsqueeze(-3) for table in (cosines, sines))
    turned, rest = x[..., :width], x[..., width:]
    if at["interleaved"]:
        one, other = turned[..., ::2], turned[..., 1::2]
        pairs = torch.stack((one * cos - other * sin, one * sin + other * cos), -1)
        return torch.cat((pairs.flatten(-2), rest), -1)
    one, other = turned.chunk(2, -1)
    return torch.cat((one * cos - other * sin, one * sin + other * cos, rest), -1)


@computes("KV_CACHE_UPDATE", moves=True)
def cache_update(at: Attributes, cache: Tensor, update: Tensor, starts: Tensor) -> Tensor:
    """cache [b h rows d] with `update` [b h s d] written from a row on that each of the batch names."""
    if at["cache_mode"] != "LINEAR":
        raise UnsupportedError(f"its cache_mode `{at['cache_mode']}` is not known")
    rows = []
    for row, new, start in zip(cache, update, integers(starts), strict=True):
        if not 0 <= start <= row.shape[1] - new.shape[1]:
            raise IndexError(f"{new.shape[1]} rows from {start} on are out of a cache of {row.shape[1]}")
        rows.append(torch.cat((row[:, :start], new, row[:, start + new.shape[1] :]), 1))
    return torch.stack(rows)
