"""The exception that carries diagnostics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from archspec.diagnostics.model import Diagnostic, Label, finding
from archspec.diagnostics.render import render
from archspec.diagnostics.source import Span


class SpecError(Exception):
    """An error in a spec or its use. `diagnostics` holds the findings; the text of the exception renders them."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        # As the argument of the exception, which pickle passes to the class again.
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
    """Raise a SpecError with one error at `span`; None means that the error has no place in a file.

    `label` is the text under the marked place; the other arguments are as in `Diagnostic`.
    """
    raise SpecError([finding("error", code, message, span, label, secondary, notes, help)])
