"""`archspec explain`: the page of a diagnostic code."""

from __future__ import annotations

import click

from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.diagnostics import CODES, explain


@click.command("explain")
@click.argument("code")
@JSON
def command(code: str, as_json: bool) -> None:
    """Explain the diagnostic CODE (E301): what it means, why it is refused, an example, and what to write instead."""
    page = explain(code)
    if as_json:
        print_json({"code": code.upper(), "title": CODES[code.upper()].title, "page": page})
    else:
        click.echo(page)
