"""The only way from a spec to a `Checked`.

The package comes after `weights` and `lower` in the import order, because it reads what a file says of both, and
before everything that builds: engines, bundles, decoding and views take what it has accepted. Modules that
`archspec check` does not need are imported late.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.checking.checks import Report, accepted, check
    from archspec.checking.compiling import compile
    from archspec.checking.loading import load_weights

_HOMES = {
    "Report": "archspec.checking.checks",
    "accepted": "archspec.checking.checks",
    "check": "archspec.checking.checks",
    "compile": "archspec.checking.compiling",
    "load_weights": "archspec.checking.loading",
}

__all__ = ["Report", "accepted", "check", "compile", "load_weights"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.checking' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
