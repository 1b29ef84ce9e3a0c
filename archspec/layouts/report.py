"""How messages about many tensors are worded: the first by name, the rest by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def and_more(names: Sequence[str]) -> str:
    """` and 11 more` after the first of several, nothing after a lone one."""
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def shaped(name: str, shapes: Mapping[str, Sequence[int]]) -> str:
    """A name and its shape."""
    return f"`{name}` {list(shapes[name])}"


def also(names: Sequence[str], limit: int = 6) -> list[str]:
    """A note that lists the names after the first."""
    if len(names) < 2:
        return []
    listed = ", ".join(f"`{name}`" for name in names[1 : limit + 1])
    return [f"also {listed}" + (f" and {len(names) - limit - 1} more" if len(names) > limit + 1 else "")]
