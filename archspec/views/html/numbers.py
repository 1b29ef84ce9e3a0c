"""Numbers as a page writes them."""

from __future__ import annotations

from collections.abc import Mapping


def counted(count: int, thing: str) -> str:
    """A number of things in words: `1 run`, `2 runs`."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def at_sizes(sizes: Mapping[str, int]) -> str:
    """Sizes of dims: `batch 2, length 64`."""
    return ", ".join(f"{name} {size:,}" for name, size in sizes.items())
