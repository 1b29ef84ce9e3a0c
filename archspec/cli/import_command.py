"""`archspec import`: a model's configuration becomes a spec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.cli.writing import write_whole

if TYPE_CHECKING:
    from archspec.contract.report import Finding
    from archspec.interop import Imported


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write; left out, it is printed.")
@click.option("--as", "architecture", metavar="CLASS", help="The class of transformers to take, such as BertModel.")
@click.option("--name", metavar="NAME", help="The name of the spec (default: that of the folder or file).")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="Of a GGUF file: the folder for its tokenizer.")
@click.option("--verify", is_flag=True, help="Compare with the model that transformers makes of the folder.")
@JSON
def command(
    source: Path,
    output: Path | None,
    architecture: str | None,
    name: str | None,
    tokenizer: Path | None,
    verify: bool,
    as_json: bool,
) -> None:
    """Make a spec of the model in SOURCE: a folder with config.json, such a file, or a GGUF file.

    Every key of the configuration, or of the file's metadata, is used, known to have no effect, or an error.
    """
    from archspec.interop import import_model

    if tokenizer is not None and source.suffix != ".gguf":
        raise click.UsageError("`--tokenizer` is for a GGUF file: a folder has `tokenizer.json` itself")
    made = import_model(source, architecture=architecture, name=name)
    # Before anything is written: a spec that differs from its original is not worth keeping.
    found = _held(made, source) if verify else None
    if tokenizer is not None:
        from archspec.decoding.text_packages import require
        from archspec.interop.gguf.tokenizer import write_tokenizer

        require("tokenizers")
        write_tokenizer(source, tokenizer)
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
                "notes": list(made.notes),
                "verified": None if found is None else found.detail,
                "spec": made.text,
            }
        )
    elif output is None:
        click.echo(made.text, nl=False)
    else:
        click.echo(f"wrote {output} ({made.architecture}); next: archspec check {output}")
    for note in made.notes:
        click.echo(note, err=True)
    if found is not None:
        # Apart from the spec, which may be what standard output is for.
        click.echo(f"{found.claim}: within {found.largest:.1e} of the largest value, {found.detail}", err=True)


def _held(made: Imported, source: Path) -> Finding:
    """Compare an imported spec with its original. Raises SpecError E640 if it differs, and as `hold_to_original`."""
    from archspec.diagnostics import fail
    from archspec.interop.huggingface.original import hold_to_original
    from archspec.spec.claims import claims_of

    if source.suffix == ".gguf":
        help = "give its outputs in a file: `archspec build --expect`"
        fail("E642", "transformers does not run a GGUF file as it is stored", None, help=help)
    folder = source if source.is_dir() else source.parent
    found = hold_to_original(claims_of(made.spec), folder)
    if found.status != "holds":
        what = "differs from" if found.status == "violated" else "cannot be told apart from others by"
        fail("E640", f"the imported spec {what} {folder}", None, notes=found.detail.split("; "))
    return found
