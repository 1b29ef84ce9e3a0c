"""Collect all independent diagnostics of a run without duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from archspec.diagnostics.error import SpecError
from archspec.diagnostics.model import Diagnostic, Label, finding
from archspec.diagnostics.source import Span


def in_order(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics sorted by position: those without a place first, then file by file.

    Files keep the order in which they first occur; diagnostics of one place keep their order.
    """
    several = tuple(found)
    files = dict.fromkeys(one.primary.span.source.name for one in several if one.primary)
    number = {name: position for position, name in enumerate(files)}

    def place(one: Diagnostic) -> tuple[int, int]:
        return (-1, 0) if one.primary is None else (number[one.primary.span.source.name], one.primary.span.start)

    return tuple(sorted(several, key=place))


class Collector:
    """Keeps diagnostics in the order in which they are added; an equal one is kept once."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All diagnostics kept so far, errors and warnings."""
        return tuple(self._found)

    @property
    def has_errors(self) -> bool:
        """Whether at least one diagnostic is an error."""
        return any(found.severity == "error" for found in self._found)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic unless an equal one is already kept."""
        self._found.setdefault(diagnostic)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None,
        label: str = "",
        *,
        secondary: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
    ) -> None:
        """Keep an error without raising. `span` None means that it has no place; the rest is as in `Diagnostic`."""
        self.add(finding("error", code, message, span, label, secondary, notes, help))

    def warn(
        self,
        code: str,
        message: str,
        span: Span | None,
        label: str = "",
        *,
        secondary: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
    ) -> None:
        """Keep a warning. `span` None means that it has no place; the rest is as in `Diagnostic`."""
        self.add(finding("warning", code, message, span, label, secondary, notes, help))

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Context manager that keeps the diagnostics of a SpecError raised inside it and suppresses the exception."""
        try:
            yield
        except SpecError as error:
            for diagnostic in error.diagnostics:
                self.add(diagnostic)

    def raise_if_errors(self) -> None:
        """Raise one SpecError with all diagnostics, warnings included, if any of them is an error."""
        if self.has_errors:
            raise SpecError(self.diagnostics)
