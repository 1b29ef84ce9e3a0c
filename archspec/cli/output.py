"""What commands print: text for people, JSON for programs, diagnostics in either form."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from archspec.diagnostics import Diagnostic, fail, render, to_json


def report_errors(diagnostics: Iterable[Diagnostic], *, as_json: bool) -> None:
    """Print diagnostics: rendered on standard error, or as a JSON object on standard output."""
    found = tuple(diagnostics)
    if as_json:
        print_json({"holds": False, "diagnostics": [to_json(one) for one in found]})
    else:
        click.echo(render(found, color=wants_color()), err=True)


def wants_color() -> bool:
    """Whether standard error is a terminal that shows colours."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def grouped(number: int) -> str:
    """A count as people read it: 63,082,496."""
    return f"{number:,}"


def scaled(number: float, unit: str) -> str:
    """A large number with a prefix: 12.3 GFLOP."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(number) < 1000:
            return f"{number:.3g} {prefix}{unit}"
        number /= 1000
    return f"{number:.3g} P{unit}"


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all, through a temporary file beside it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        not_written(path, error)


def not_written(path: Path, error: OSError) -> NoReturn:
    """Refuse a file that cannot be written. Raises SpecError E702."""
    fail("E702", f"cannot write {path}: {(error.strerror or str(error)).lower()}", None)
