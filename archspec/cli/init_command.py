"""`archspec init`: a spec to start from, shipped or imported."""

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
@click.argument("name", required=False, shell_complete=complete_shipped)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Import a model, from a folder with config.json or a GGUF file, as archspec import does.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write (default: NAME.yaml here).")
@JSON
def command(name: str | None, source: Path | None, output: Path | None, as_json: bool) -> None:
    """Copy the shipped spec NAME to a new file, or import a model into one."""
    if (name is None) == (source is None):
        raise click.UsageError("give the name of a shipped spec, or a model with --from")
    name, text = _shipped(name) if name is not None else _imported(source)
    target = output or Path(f"{name}.yaml")
    try:
        # Mode `x` fails if the file exists, also if it was created after an earlier check.
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail("E702", f"{target} already exists", None, help="choose another file with `-o`")
    except OSError as error:
        not_written(target, error)
    if as_json:
        print_json({"written": str(target)})
    else:
        click.echo(f"wrote {target}; next: archspec check {target}")


def _shipped(name: str) -> tuple[str, str]:
    """The name and the text of a shipped spec. Raises SpecError E701 for an unknown name."""
    shipped = {path.stem: path for path in shipped_specs_dir().glob("*.yaml")}
    if name not in shipped:
        fail("E701", f"no shipped spec is named `{name}`", None, help=did_you_mean(name, shipped, kind="specs"))
    return name, shipped[name].read_text(encoding="utf-8")


def _imported(source: Path | None) -> tuple[str, str]:
    """The name and the text of the spec of a model. Raises SpecError E801 to E805 as the import does."""
    from archspec.interop import import_model

    assert source is not None
    made = import_model(source)
    for note in made.notes:
        click.echo(note, err=True)
    return made.name, made.text
