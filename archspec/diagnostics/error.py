"""The exception that carries diagnostics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from archspec.diagnostics.model import Diagnostic, Label
from archspec.diagnostics.render import render
from archspec.diagnostics.source import Span


class SpecError(Exception):
    """Raised with one or more diagnostics; its text is their rendering."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
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
