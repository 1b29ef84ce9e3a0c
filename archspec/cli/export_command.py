"""`archspec export`: a bundle becomes a file that others open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.diagnostics import fail
from archspec.record import record
from archspec.weights.gguf.writing import FORMATS

if TYPE_CHECKING:
    from archspec.bundle.bundle import Bundle
    from archspec.interop.huggingface.exported import ExportedFolder


@click.command("export")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(["gguf", "huggingface"]), required=True, help="What to write.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file or folder to write.")
@click.option("--dtype", type=click.Choice(list(FORMATS)), help="The format of matrices in GGUF (default: F32).")
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    help="A folder of transformers with the same architecture, whose configuration and names are taken.",
)
@JSON
def command(bundle: Path, kind: str, output: Path, dtype: str | None, like: Path | None, as_json: bool) -> None:
    """Write the model in BUNDLE, with its weights, as others open it.

    `--to gguf`: a file of llama.cpp. Its metadata are read back before it is written: a spec that they do not say
    exactly is refused. What the file does not hold is printed. Integers with a scale for each 32 or more are written as
    Q8_0 or Q4_0 and stay the same integers.

    `--to huggingface`: a folder that transformers opens as its own class where the spec is one of the model types of
    `archspec list --types`. Any other has the emitted module in a model of its own, which
    `AutoModel.from_pretrained(..., trust_remote_code=True)` opens; inputs and outputs have the names of the spec.

    `--to huggingface --like FOLDER`: a folder that transformers opens as it opens FOLDER, with the bundle's weights and
    its other files. The configuration is imported before it is written: one that gives another graph is refused.
    """
    if kind == "gguf" and like is not None:
        raise click.UsageError("`--like` requires `--to huggingface`")
    if kind == "huggingface" and dtype is not None:
        raise click.UsageError("`--dtype` requires `--to gguf`: weights keep their dtype for transformers")
    from archspec.bundle import open as open_bundle

    opened = open_bundle(bundle)
    told = _gguf(opened, output, dtype or "F32") if kind == "gguf" else _huggingface(opened, output, like)
    if as_json:
        print_json({"written": str(output), **told.data})
        return
    click.echo(f"wrote {output} ({told.what})")
    for note in told.notes:
        click.echo(f"  {note}")


@record
class _Told:
    """What is said of what was written."""

    data: Mapping[str, object]
    what: str
    notes: Sequence[str] = ()


def _gguf(opened: Bundle, output: Path, dtype: str) -> _Told:
    from archspec.analyses.parameters import expand
    from archspec.bundle.sources import SPEC
    from archspec.interop.gguf.exported import export_gguf
    from archspec.spec import load
    from archspec.weights import read_weights

    stored = {name: one.stored for name, one in expand(opened.checked(unproved=True).spec.graph).items()}
    storages = {name: storage for name, storage in stored.items() if storage is not None}
    with read_weights(opened.path / opened.manifest.weights.path) as weights:
        made = export_gguf(load(opened.path / SPEC), weights, output, dtype, storages)
    data = {"architecture": made.architecture, "formats": list(made.formats), "notes": list(made.notes)}
    notes = [f"not as in the bundle: {note}" for note in made.notes]
    return _Told(data=data, what=f"{made.architecture}, {', '.join(made.formats)}", notes=notes)


def _huggingface(opened: Bundle, output: Path, like: Path | None) -> _Told:
    from archspec.bundle.sources import MODULE
    from archspec.bundle.staging import staging
    from archspec.interop.huggingface.by_type import export_type
    from archspec.interop.huggingface.exported import ExportedFolder, export_huggingface
    from archspec.interop.huggingface.remote_code import export_code
    from archspec.weights import read_weights

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        fail("E704", f"{output} is in the way: it is not an empty folder", None, help="choose another folder")
    files = [opened.path / path for path in opened.manifest.carried]
    spec = opened.checked(unproved=True).spec
    with staging(output) as folder, read_weights(opened.path / opened.manifest.weights.path) as weights:
        if like is not None:
            return _known(export_huggingface(spec, weights, folder, like, files))
        made = export_type(spec, weights, folder, files)
        if isinstance(made, ExportedFolder):
            return _known(made)
        coded = export_code(spec, (opened.path / MODULE).read_text(encoding="utf-8"), weights, folder, files)
    what = f"{coded.architecture}, with its own code: trust_remote_code=True"
    return replace(_known(coded), what=what, notes=[f"not a class of transformers: {made.reason}"])


def _known(made: ExportedFolder) -> _Told:
    data = {"architecture": made.architecture, "model_type": made.model_type, "notes": list(made.notes)}
    return _Told(data=data, what=made.architecture, notes=made.notes)
