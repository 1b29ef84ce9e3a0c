"""`archspec init`: a shipped spec to start from."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.completion import complete_shipped
from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.cli.writing import not_written
from archspec.diagnostics import did_you_mean, fail
from archspec.spec.shipped import shipped_specs_dir


@click.command("init")
@click.argument("name", shell_complete=complete_shipped)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write (default: NAME.yaml here).")
@JSON
def command(name: str, output: Path | None, as_json: bool) -> None:
    """Copy the shipped spec NAME to a new file."""
    shipped = {path.stem: path for path in shipped_specs_dir().glob("*.yaml")}
    if name not in shipped:
        fail("E701", f"no shipped spec is named `{name}`", None, help=did_you_mean(name, shipped, kind="specs"))
    target = output or Path(f"{name}.yaml")
    try:
        # Mode `x` fails if the file exists, also if it was created after an earlier check.
        with target.open("x", encoding="utf-8") as file:
            file.write(shipped[name].read_text(encoding="utf-8"))
    except FileExistsError:
        fail("E702", f"{target} already exists", None, help="choose another file with `-o`")
    except OSError as error:
        not_written(target, error)
    if as_json:
        print_json({"written": str(target)})
    else:
        click.echo(f"wrote {target}; next: archspec check {target}")
