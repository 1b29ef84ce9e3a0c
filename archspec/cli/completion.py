"""Shell completion of specs, YAML files, targets and codes of diagnostics."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def complete_specs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of shipped specs, and paths of YAML files and folders."""
    return complete_shipped(context, parameter, incomplete) + _files(incomplete)


def complete_shipped(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of shipped specs."""
    from archspec.spec.shipped import shipped_specs_dir

    return _starting(incomplete, sorted(path.stem for path in shipped_specs_dir().glob("*.yaml")))


def complete_targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names of engines, also after a comma."""
    from archspec.engines.registry import engines

    before, comma, last = incomplete.rpartition(",")
    return [_item(f"{before}{comma}{word}") for word in engines() if word.startswith(last)]


def complete_codes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete codes of diagnostics, with their titles."""
    from archspec.diagnostics import CODES

    found = CODES.items()
    return [_item(code, help=entry.title) for code, entry in found if code.startswith(incomplete.upper())]


def _item(text: str, help: str | None = None) -> CompletionItem:
    """A completion with its help. Commands import this module, and only a shell that completes needs click's."""
    from click.shell_completion import CompletionItem

    return CompletionItem(text, help=help)


def _starting(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    """The names that start with the incomplete word."""
    return [_item(name) for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    """YAML files and visible folders that match; folders end in `/`, so that completion can go on inside them."""
    head = incomplete[: incomplete.rfind("/") + 1]
    try:
        found = sorted(Path(head or ".").iterdir())
    except OSError:
        # A completion never fails: there is nothing to offer.
        return []
    folders = [f"{head}{path.name}/" for path in found if path.is_dir() and not path.name.startswith(".")]
    files = [f"{head}{path.name}" for path in found if path.suffix in (".yaml", ".yml")]
    return _starting(incomplete, files + folders)
