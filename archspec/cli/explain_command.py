"""`archspec explain`: the page of a diagnostic code."""

from __future__ import annotations

import click

from archspec.cli.completion import complete_codes
from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.diagnostics import CODES, explain


@click.command("explain")
@click.argument("code", required=False, shell_complete=complete_codes)
@JSON
def command(code: str | None, as_json: bool) -> None:
    """Explain the diagnostic CODE (E301): what it means, why it is refused, an example, and what to write instead.

    Without CODE all of them are listed.
    """
    if code is None:
        _list(as_json)
        return
    page = explain(code)
    if as_json:
        print_json({"code": code.upper(), "title": CODES[code.upper()].title, "page": page})
    else:
        click.echo(page)


def _list(as_json: bool) -> None:
    """Print all codes with their titles, grouped by family."""
    if as_json:
        print_json({code: {"title": entry.title, "family": entry.family} for code, entry in CODES.items()})
        return
    family = ""
    for code, entry in CODES.items():
        if entry.family != family:
            family = entry.family
            click.echo(f"{family}:")
        click.echo(f"  {code}  {entry.title}")
