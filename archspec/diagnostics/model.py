"""Diagnostics as data."""

from __future__ import annotations

from typing import Literal

from archspec.diagnostics.source import Span
from archspec.record import record

Severity = Literal["error", "warning"]


@record(kw_only=False)
class Label:
    """A marked place and the text shown next to it, which may be empty."""

    span: Span
    text: str = ""


@record
class Diagnostic:
    """One finding: what is wrong, where, which other places conflict, and how to fix it.

    `primary` is None for a finding that has no place in a file. `message`, label texts and `notes` state facts; only
    `help` says what to do. All are lowercase, without a full stop.
    """

    code: str
    severity: Severity = "error"
    message: str
    primary: Label | None = None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
