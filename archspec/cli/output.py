"""Output of commands: numbers and sizes as text, JSON, and diagnostics in either form."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from archspec.diagnostics import Diagnostic, render, to_json

if TYPE_CHECKING:
    from rich.console import Console

    from archspec.algebra.dim import Dim
    from archspec.spec import Spec

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


def grouped(number: int) -> str:
    """A count with separators between thousands: 63,082,496."""
    return f"{number:,}"


def scaled(number: float, unit: str) -> str:
    """A number to three digits with a decimal prefix of its unit: 12.3 GFLOP."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(number) < 1000:
            return f"{number:.3g} {prefix}{unit}"
        number /= 1000
    return f"{number:.3g} P{unit}"


def at_sizes(flops: Dim, spec: Spec) -> str:
    """The typical sizes of the dims that FLOPs depend on: `at batch 2, length 64`; "" if there are none."""
    known = flops.symbols()
    named = [f"{name} {symbol.typical}" for name, symbol in spec.dims.items() if symbol in known]
    return f"at {', '.join(named)}" if named else ""
