"""Word messages about many tensors: the first by name, the others by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def and_more(names: Sequence[str]) -> str:
    """Return ` and 11 more` for what follows the first of several names, an empty text for a single one."""
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def shaped(name: str, shapes: Mapping[str, Sequence[int]]) -> str:
    """Return a name with its shape, as messages print it."""
    return f"`{name}` {list(shapes[name])}"


def also(names: Sequence[str], limit: int = 6) -> list[str]:
    """Return a note that lists the names after the first, at most `limit` of them; no note for a single name."""
    if len(names) < 2:
        return []
    listed = ", ".join(f"`{name}`" for name in names[1 : limit + 1])
    return [f"also {listed}" + (f" and {len(names) - limit - 1} more" if len(names) > limit + 1 else "")]
