"""Collects every independent finding of a run, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from archspec.diagnostics.error import SpecError
from archspec.diagnostics.model import Diagnostic, Label, Severity
from archspec.diagnostics.source import Span


def in_order(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings in the order in which a reader of the file comes to them; those of no place first, files one by one."""
    several = tuple(found)
    files = dict.fromkeys(one.primary.span.source.name for one in several if one.primary)
    number = {name: position for position, name in enumerate(files)}

    def place(one: Diagnostic) -> tuple[int, int]:
        return (-1, 0) if one.primary is None else (number[one.primary.span.source.name], one.primary.span.start)

    return tuple(sorted(several, key=place))


class Collector:
    """Keeps diagnostics in the order in which they were found, equal ones once."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that was found, errors and warnings."""
        return tuple(self._found)

    @property
    def has_errors(self) -> bool:
        """True when at least one finding is an error."""
        return any(found.severity == "error" for found in self._found)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic, unless an equal one is kept already."""
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
        """Keep an error and go on."""
        self._keep("error", code, message, span, label, secondary, notes, help)

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
        """Keep a warning and go on."""
        self._keep("warning", code, message, span, label, secondary, notes, help)

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Keep the diagnostics of a SpecError raised inside, and go on after the `with` block."""
        try:
            yield
        except SpecError as error:
            for diagnostic in error.diagnostics:
                self.add(diagnostic)

    def raise_if_errors(self) -> None:
        """Raise everything found as one SpecError if any of it is an error."""
        if self.has_errors:
            raise SpecError(self.diagnostics)

    def _keep(
        self,
        severity: Severity,
        code: str,
        message: str,
        span: Span | None,
        label: str,
        secondary: Iterable[Label],
        notes: Iterable[str],
        help: str | None,
    ) -> None:
        self.add(
            Diagnostic(
                code=code,
                severity=severity,
                message=message,
                primary=None if span is None else Label(span, label),
                secondary=tuple(secondary),
                notes=tuple(notes),
                help=help,
            )
        )
