"""Report findings that do not stop the work through Python's `warnings`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable

from archspec.diagnostics.model import Diagnostic


class SpecWarning(UserWarning):
    """A finding that does not stop the work; its text is its rendering."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic)

    def __str__(self) -> str:
        from archspec.diagnostics.render import render

        return render(self.diagnostic)


def warn(found: Iterable[Diagnostic]) -> None:
    """Issue a SpecWarning for each diagnostic, attributed to the first caller outside the package.

    Errors must be raised as SpecError, not passed here.
    """
    for diagnostic in found:
        warnings.warn(SpecWarning(diagnostic), stacklevel=_outside())


def _outside() -> int:
    """The `stacklevel` that makes `warnings.warn`, called in `warn`, point at the first frame outside this package."""
    level, frame = 2, sys._getframe(2)
    package = __name__.partition(".")[0] + "."
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(package):
        level, frame = level + 1, frame.f_back
    return level
