"""`archspec export`: a bundle becomes a file that others open."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.weights.gguf.writing import FORMATS


@click.command("export")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(["gguf"]), required=True, help="What to write.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option(
    "--dtype", type=click.Choice(list(FORMATS)), default="F32", show_default=True, help="The format of matrices."
)
@JSON
def command(bundle: Path, kind: str, output: Path, dtype: str, as_json: bool) -> None:
    """Write the model in BUNDLE, with its weights, to a file that others open.

    `--to gguf`: a file of llama.cpp. Its metadata are read back before it is written: a spec that they do not say
    exactly is refused. What the file does not hold is printed.
    """
    from archspec.bundle import open as open_bundle
    from archspec.interop.gguf.exported import export_gguf
    from archspec.weights import read_weights

    opened = open_bundle(bundle)
    spec = opened.checked(unproved=True).spec
    with read_weights(opened.path / opened.manifest.weights.path) as weights:
        made = export_gguf(spec, weights, output, dtype)
    if as_json:
        print_json({"written": str(output), "architecture": made.architecture, "notes": list(made.notes)})
        return
    click.echo(f"wrote {output} ({made.architecture}, {dtype})")
    for note in made.notes:
        click.echo(f"  not as in the bundle: {note}")
