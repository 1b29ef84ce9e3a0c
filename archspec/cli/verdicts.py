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


def note_quantised(entry: QuantisedEntry | None, ran: str) -> None:
    """Print a note on standard error of what is lost by what a bundle rounds, if anything.

    That is the loss of the artifact that `ran`, where it rounds what it multiplies, else that of the weights.
    """
    if entry is None:
        return
    other = "rounded activations" if entry.kv_cache is None else f"cache in {entry.kv_cache}"
    what = "quantised weights" if entry.formats else other
    loss = entry.loss
    if ran in entry.rounding:
        what, loss = f"{what}, and {ran} rounds what it multiplies", entry.rounding[ran]
    click.echo(f"note: {what}: {'the loss was not measured' if loss is None else loss}", err=True)
