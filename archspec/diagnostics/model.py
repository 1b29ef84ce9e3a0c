"""Diagnostics as data, and the exception that carries them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NoReturn

from archspec.diagnostics.source import Span
from archspec.record import record

Severity = Literal["error", "warning"]


@record(kw_only=False)
class Label:
    """A place, and what is to be said about it."""

    span: Span
    text: str = ""


@record
class Diagnostic:
    """One finding: what is wrong, where, which other places conflict, and how to fix it.

    `message`, label texts and `notes` state facts; only `help` says what to do. All are lowercase, without a
    full stop.
    """

    code: str
    severity: Severity = "error"
    message: str
    primary: Label | None = None
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None


class SpecError(Exception):
    """Raised with one or more diagnostics; its text is their rendering."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from archspec.diagnostics.render import render

        return render(self.diagnostics)


def fail(
    code: str,
    message: str,
    span: Span | None,
    label: str = "",
    *,
    secondary: Iterable[Label] = (),
    notes: Iterable[str] = (),
    help: str | None = None,
) -> NoReturn:
    """Raise a SpecError with one error at `span`."""
    primary = None if span is None else Label(span, label)
    raise SpecError(
        [
            Diagnostic(
                code=code,
                message=message,
                primary=primary,
                secondary=tuple(secondary),
                notes=tuple(notes),
                help=help,
            )
        ]
    )
