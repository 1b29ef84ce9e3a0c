"""Bundles: one folder with everything needed to run an architecture, whose integrity can be checked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.bundle.building import build
    from archspec.bundle.bundle import Bundle
    from archspec.bundle.read import open

_HOMES = {"Bundle": "archspec.bundle.bundle", "build": "archspec.bundle.building", "open": "archspec.bundle.read"}

__all__ = ["Bundle", "build", "open"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    # Importing the package must stay cheap: `build` and `open` bring in the engines.
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.bundle' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
