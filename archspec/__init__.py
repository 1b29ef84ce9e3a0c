"""archspec compiles a YAML description of a neural architecture into a checked, tested, deployable model.

The names below are resolved on first use, so that importing the package loads neither torch nor the compiler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archspec.registry import RULE_KINDS

if TYPE_CHECKING:
    from archspec.bundle import Bundle, build, open
    from archspec.checking import Report, check, compile, load_weights
    from archspec.decoding import generate
    from archspec.diagnostics import Diagnostic, SpecError, SpecWarning
    from archspec.spec import Spec, load
    from archspec.views.attention_weights import attend

_HOMES = {
    "Bundle": "archspec.bundle",
    "Diagnostic": "archspec.diagnostics",
    "Report": "archspec.checking",
    "Spec": "archspec.spec",
    "SpecError": "archspec.diagnostics",
    "SpecWarning": "archspec.diagnostics",
    "attend": "archspec.views.attention_weights",
    "build": "archspec.bundle",
    "check": "archspec.checking",
    "compile": "archspec.checking",
    "generate": "archspec.decoding",
    "load": "archspec.spec",
    "load_weights": "archspec.checking",
    "open": "archspec.bundle",
}

__all__ = [
    "Bundle",
    "Diagnostic",
    "Report",
    "Spec",
    "SpecError",
    "SpecWarning",
    "attend",
    "build",
    "check",
    "compile",
    "generate",
    "load",
    "load_weights",
    "open",
]

# This module imports all packages, so it registers with the upper ones what the lower ones declare.
RULE_KINDS.read_from("archspec.rules.kinds")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("archspec-compiler")
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
