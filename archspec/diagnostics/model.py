"""Diagnostics as data."""

from __future__ import annotations

from collections.abc import Iterable
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


def finding(
    severity: Severity,
    code: str,
    message: str,
    span: Span | None,
    label: str,
    secondary: Iterable[Label],
    notes: Iterable[str],
    help: str | None,
) -> Diagnostic:
    """A diagnostic with `label` under its place `span`; None means that it has no place in a file."""
    return Diagnostic(
        code=code,
        severity=severity,
        message=message,
        primary=None if span is None else Label(span, label),
        secondary=tuple(secondary),
        notes=tuple(notes),
        help=help,
    )
