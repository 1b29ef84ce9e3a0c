"""Blocks of the language that are not built yet: refused by name."""

from __future__ import annotations

PLANNED = frozenset(
    {
        *("add_positions", "conv", "conv_residual", "max_pool", "avg_pool", "squeeze_excite"),
        *("rearrange", "concat", "slice", "shift", "matmul", "argmax", "activation", "dropout"),
        *("affine", "learned", "constant", "attend"),
    }
)
