"""Updates of caches of keys and values."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes, integers
from archspec.engines.network.plan import Attributes


@computes("KV_CACHE_UPDATE", moves=True)
def cache_update(
    at: Attributes, cache: Tensor, update: Tensor, starts: Tensor, lengths: Tensor | None = None
) -> Tensor:
    """Write `update` [b h s d] into cache [b h rows d], from the row that `starts` gives for each batch item.

    Raises IndexError if it does not fit, UnsupportedError for packed sequences.
    """
    if lengths is not None:
        raise UnsupportedError("its sequences are packed")
    if at["cache_mode"] != "LINEAR":
        raise UnsupportedError(f"its cache_mode `{at['cache_mode']}` is not supported")
    rows = []
    for row, new, start in zip(cache, update, integers(starts), strict=True):
        if not 0 <= start <= row.shape[1] - new.shape[1]:
            raise IndexError(f"{new.shape[1]} rows from {start} exceed a cache of {row.shape[1]} rows")
        rows.append(torch.cat((row[:, :start], new, row[:, start + new.shape[1] :]), 1))
    return torch.stack(rows)
