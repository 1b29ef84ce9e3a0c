"""Output of verdicts, of the faults of a spec that was accepted with `--unproved`, and of what else is to be noted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from archspec.bundle.manifest import QuantisedEntry
    from archspec.rules.verdict import Verdict


def verdict_lines(verdicts: Iterable[Verdict]) -> list[str]:
    """A line for each rule, with its status and explanation."""
    return [f"  rule {one.rule}: {_known(one)}" for one in verdicts]


def _known(verdict: Verdict) -> str:
    """The status of a verdict with its explanation, such as `proved, at all sizes`."""
    return f"{verdict.status}, {verdict.explanation}" if verdict.explanation else verdict.status


def verdict_data(verdicts: Iterable[Verdict]) -> list[dict[str, object]]:
    """Verdicts as JSON-compatible data."""
    return [{"rule": str(one.rule), "status": one.status, "explanation": one.explanation} for one in verdicts]


def note_unproved(messages: Sequence[str]) -> None:
    """Print a note on standard error for each fault of a spec that was accepted with `--unproved`."""
    for message in messages:
        click.echo(f"note: unproved: {message}", err=True)


def note_quantised(entry: QuantisedEntry | None) -> None:
    """Print a note on standard error of what the quantised weights of a bundle cost, if it has any."""
    if entry is not None:
        lost = "their loss was not measured" if entry.loss is None else str(entry.loss)
        click.echo(f"note: quantised weights: {lost}", err=True)
        for target, loss in entry.rounding.items():
            click.echo(f"note: {target} also rounds what it multiplies: {loss}", err=True)
