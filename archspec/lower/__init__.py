"""Lowering: from graphs to PyTorch source, and from source to modules.

The public names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.lower.emission import emit
    from archspec.lower.modules import compile, module_class
    from archspec.lower.naming import class_name

_HOMES = {
    "class_name": "archspec.lower.naming",
    "compile": "archspec.lower.modules",
    "emit": "archspec.lower.emission",
    "module_class": "archspec.lower.modules",
}

__all__ = ["class_name", "compile", "emit", "module_class"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.lower' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
