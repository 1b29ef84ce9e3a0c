"""`archspec schema`: the JSON Schema that editors use."""

from __future__ import annotations

import json

import click

from archspec.cli.output import print_json
from archspec.spec.schema import json_schema


@click.command("schema")
@click.option("--json", "compact", is_flag=True, help="Print it on one line.")
def command(compact: bool) -> None:
    """Print the JSON Schema of the language, for editors."""
    if compact:
        click.echo(json.dumps(json_schema(), separators=(",", ":")))
    else:
        print_json(json_schema())
