"""All blocks, by the word that names them; a block's file is loaded when the block is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from archspec.blocks.parts.block import Block

_FILES = {
    "activation": "activation",
    "add_positions": "add_positions",
    "affine": "affine",
    "argmax": "argmax",
    "attend": "attend_block",
    "avg_pool": "window_pool",
    "concat": "concat",
    "constant": "constant",
    "conv": "conv",
    "conv_residual": "conv_residual",
    "decoder": "decoder",
    "dropout": "dropout",
    "encoder": "encoder",
    "l2_normalize": "l2_normalize",
    "learned": "learned",
    "linear": "linear",
    "lm_head": "lm_head",
    "matmul": "matmul",
    "max_pool": "window_pool",
    "norm": "norm_block",
    "patch_embedding": "patch_embedding",
    "pool": "pool",
    "rearrange": "rearrange",
    "shift": "shift",
    "slice": "slice",
    "squeeze_excite": "squeeze_excite",
    "token_embedding": "token_embedding",
    "transformer": "transformer",
}


class _Blocks(Mapping[str, type[Block]]):
    def __getitem__(self, word: str) -> type[Block]:
        module = import_module(f"archspec.blocks.{_FILES[word]}")
        found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Block))
        return next(value for value in found if vars(value).get("block") == word)

    def __iter__(self) -> Iterator[str]:
        return iter(_FILES)

    def __len__(self) -> int:
        return len(_FILES)


_BLOCKS = _Blocks()


def blocks() -> Mapping[str, type[Block]]:
    """The blocks of the language; reading the names loads none of them."""
    return _BLOCKS
