"""`archspec attend`: attention weights as heat maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspec.cli.options import OF_BUNDLE, UNPROVED, spec_options
from archspec.cli.output import print_json
from archspec.cli.verdicts import note_unproved
from archspec.cli.writing import require_suffix, write_whole
from archspec.diagnostics import fail

if TYPE_CHECKING:
    from archspec.model.checked import Checked


@click.command("attend")
@spec_options
@UNPROVED
@click.option("--weights", type=click.Path(path_type=Path), help="A safetensors file; a bundle has its own weights.")
@click.option(
    "--inputs", required=True, type=click.Path(path_type=Path), help="An .npz file with an array for each input."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The SVG file to write.")
@click.option(
    "--node", help="Path of the attention to draw (default: the last cross-attention, otherwise the last attention)."
)
@click.option("--row", default=0, show_default=True, help="Row of the batch to draw.")
@click.option("--weights-layout", "layout", help="Name of the weights layout (default: the one that matches).")
@click.option("--labels", type=click.Path(path_type=Path), help="File with labels of queries and keys, one per line.")
@click.option("--query-labels", type=click.Path(path_type=Path), help="File with labels of queries, one per line.")
@click.option("--key-labels", type=click.Path(path_type=Path), help="File with labels of keys, one per line.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    unproved: bool,
    weights: Path | None,
    inputs: Path,
    output: Path,
    node: str | None,
    row: int,
    layout: str | None,
    labels: Path | None,
    query_labels: Path | None,
    key_labels: Path | None,
) -> None:
    """Draw the attention weights of a node of SPEC, or of a bundle, on given inputs as heat maps, one per head.

    `--node states.layers.3.cross_attention` names the attention. Positions are labelled with the ids of the inputs, or
    with the lines of a file: `--labels` for both sides, `--query-labels` and `--key-labels` for one side each.
    """
    require_suffix(output, ".svg", "--output")
    from archspec.bundle.read import is_bundle
    from archspec.bundle.read import open as open_bundle
    from archspec.cli.arrays import input_types
    from archspec.model.archives import read_arrays
    from archspec.views.attention_weights import attend

    given = is_bundle(spec)
    if given and (overrides or reduced or weights is not None or layout is not None):
        raise click.UsageError(OF_BUNDLE)
    source = open_bundle(spec) if given else _checked(spec, overrides, reduced, unproved)
    found = attend(
        source,
        weights,
        read_arrays(inputs, input_types(source)),
        node=node,
        row=row,
        layout=layout,
        query_labels=_read(query_labels or labels),
        key_labels=_read(key_labels or labels),
        unproved=unproved,
    )
    write_whole(output, found.svg())
    note_unproved(found.unproved)
    heads, queries, keys = found.weights.shape
    if as_json:
        print_json(
            {
                "unproved": found.unproved,
                "node": found.path,
                "heads": heads,
                "queries": queries,
                "keys": keys,
                "written": output,
            }
        )
    else:
        click.echo(f"wrote {output}: {found.path}, {heads} heads, {queries} queries, {keys} keys")


def _checked(spec: str, overrides: tuple[str, ...], reduced: bool, unproved: bool) -> Checked:
    from archspec.checking import accepted

    return accepted(spec, set=overrides, reduced=reduced, unproved=unproved)


def _read(path: Path | None) -> list[str] | None:
    """The lines of a file of labels; None without a file. Raises SpecError E753 if it cannot be read as UTF-8."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        fail("E753", f"cannot read {path}: {(reason or str(error)).lower()}", None)
