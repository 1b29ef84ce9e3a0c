"""What changed in meaning between two specs.

Both graphs are taken out of their modules (`flat`), their steps are paired (`align`, `matching`), and their values are
numbered (`numbering`): outputs with one number are the same function, whatever nodes are called and however they are
ordered. What is then left to tell is told in the terms of a review.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.diff.changes import Change, Changes, Loading, Renamed
    from archspec.diff.compare import compare_meaning

_HOMES = {
    "Change": "archspec.diff.changes",
    "Changes": "archspec.diff.changes",
    "Loading": "archspec.diff.changes",
    "Renamed": "archspec.diff.changes",
    "compare_meaning": "archspec.diff.compare",
}

__all__ = ["Change", "Changes", "Loading", "Renamed", "compare_meaning"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.diff' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
