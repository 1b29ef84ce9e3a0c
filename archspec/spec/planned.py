"""Blocks of the language that are not built yet: refused by name."""

from __future__ import annotations

PLANNED = frozenset(
    {
        *("conv", "conv_residual", "max_pool", "avg_pool", "squeeze_excite"),
    }
)
