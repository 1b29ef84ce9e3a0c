"""`archspec import`: a model's configuration becomes a spec."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.cli.writing import write_whole


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write; left out, it is printed.")
@click.option("--as", "architecture", metavar="CLASS", help="The class of transformers to take, such as BertModel.")
@click.option("--name", metavar="NAME", help="The name of the spec (default: that of the folder or file).")
@JSON
def command(source: Path, output: Path | None, architecture: str | None, name: str | None, as_json: bool) -> None:
    """Make a spec of the model in SOURCE: a folder with config.json, such a file, or a GGUF file.

    Every key of the configuration, or of the file's metadata, is used, known to have no effect, or an error.
    """
    from archspec.interop import import_model

    made = import_model(source, architecture=architecture, name=name)
    if output is not None:
        write_whole(output, made.text)
    if as_json:
        written = None if output is None else str(output)
        print_json(
            {
                "name": made.name,
                "model_type": made.model_type,
                "architecture": made.architecture,
                "written": written,
                "spec": made.text,
            }
        )
    elif output is None:
        click.echo(made.text, nl=False)
    else:
        click.echo(f"wrote {output} ({made.architecture}); next: archspec check {output}")
