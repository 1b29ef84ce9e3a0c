"""Rotary position embedding from tables."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import computes
from archspec.engines.network.plan import Attributes


@computes("ROTARY_EMBEDDING")
def rotary(at: Attributes, x: Tensor, cosines: Tensor, sines: Tensor, positions: Tensor | None = None) -> Tensor:
    """Rotate pairs among the first features of x [b h s d].

    The tables are [b s d/2], or [rows d/2] if `positions` select their rows.
    """
    width = at["rotary_embedding_dim"] or x.shape[-1]
    if positions is not None:
        cosines, sines = cosines[positions.long()], sines[positions.long()]
    # The tables have no axis for the heads.
    cos, sin = (table.unsqueeze(-3) for table in (cosines, sines))
    turned, rest = x[..., :width], x[..., width:]
    if at["interleaved"]:
        one, other = turned[..., ::2], turned[..., 1::2]
        pairs = torch.stack((one * cos - other * sin, one * sin + other * cos), -1)
        return torch.cat((pairs.flatten(-2), rest), -1)
    one, other = turned.chunk(2, -1)
    return torch.cat((one * cos - other * sin, one * sin + other * cos, rest), -1)
