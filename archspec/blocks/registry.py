"""All blocks by their words: the file `blocks/WORD.py` defines the block WORD and is loaded at its first use."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from archspec.blocks.parts.block import Block

_NOT_BLOCKS = frozenset({"registry", "parts"})


class _Blocks(Mapping[str, type[Block]]):
    """The files of the package as a mapping from word to block; listing the words loads no file."""

    def __init__(self) -> None:
        found = (module.name for module in pkgutil.iter_modules(import_module("archspec.blocks").__path__))
        self._words = tuple(sorted(word for word in found if word not in _NOT_BLOCKS))

    def __getitem__(self, word: str) -> type[Block]:
        if word not in self._words:
            raise KeyError(word)
        for value in vars(import_module(f"archspec.blocks.{word}")).values():
            # Looked up in the class itself: a subclass inherits the word, and a file may import the base of its block.
            if isinstance(value, type) and issubclass(value, Block) and vars(value).get("block") == word:
                return value
        raise TypeError(f"archspec/blocks/{word}.py holds no block called {word}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)


@cache
def blocks() -> Mapping[str, type[Block]]:
    """The blocks of the language by their words; a block is loaded when it is looked up."""
    return _Blocks()
