"""`archspec list`: the shipped specs."""

from __future__ import annotations

import click

from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.spec.shipped import shipped_specs_dir


@click.command("list")
@JSON
def command(as_json: bool) -> None:
    """List the shipped specs with their descriptions."""
    from archspec.spec import describe

    found = {path.stem: describe(path) for path in sorted(shipped_specs_dir().glob("*.yaml"))}
    if as_json:
        print_json(found)
        return
    width = max(map(len, found), default=0)
    for name, about in found.items():
        click.echo(f"{name:<{width}}  {about}")
