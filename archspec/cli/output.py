"""Output of commands: numbers and sizes as text, JSON, and diagnostics in either form."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from archspec.analyses.figures import at_sizes, grouped, scaled
from archspec.diagnostics import Diagnostic, render, to_json

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["at_sizes", "console_of", "grouped", "print_json", "report_errors", "scaled", "wants_color"]

# The width of tables in a pipe or a file, in characters.
_WIDE = 1000


def report_errors(diagnostics: Iterable[Diagnostic], *, as_json: bool) -> None:
    """Print diagnostics, rendered on standard error, or as a JSON object on standard output."""
    found = tuple(diagnostics)
    if as_json:
        print_json({"holds": False, "diagnostics": [to_json(one) for one in found]})
    else:
        click.echo(render(found, color=wants_color()), err=True)


def wants_color() -> bool:
    """Whether standard error is a terminal and `NO_COLOR` is not set."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object; values that JSON lacks, such as paths, are converted with `str`."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def console_of() -> Console:
    """A console for tables; a pipe or a file has no width, so that lines are not truncated there."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)
