"""`archspec generate`: token ids from a spec and weights, or from a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspec.cli.options import UNPROVED, seed_option, spec_options
from archspec.cli.output import print_json
from archspec.cli.verdicts import note_unproved

if TYPE_CHECKING:
    from archspec.decoding import Generated
    from archspec.model.checked import Checked


@click.command("generate")
@spec_options
@UNPROVED
@click.option(
    "--prompt-ids",
    "prompts",
    multiple=True,
    metavar="ID,ID,...",
    help="Token ids to continue, one row of the batch; repeatable.",
)
@click.option("--inputs", type=click.Path(path_type=Path), help="An .npz file with the other inputs, such as a source.")
@click.option("--weights", type=click.Path(path_type=Path), help="A safetensors file, or a folder with one.")
@click.option("--weights-layout", "layout", help="Name of the weights layout (default: the one that matches).")
@click.option("--max-new", type=int, default=20, show_default=True, help="Maximum number of new ids per row.")
@click.option("--temperature", type=float, default=0.0, show_default=True, help="Sampling temperature; 0: greedy.")
@click.option("--top-k", type=int, help="Sample only from the K most likely ids.")
@click.option("--top-p", type=float, help="Sample only from the most likely ids that together reach this probability.")
@seed_option("Seed of the sampling and of the initial weights.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    unproved: bool,
    prompts: tuple[str, ...],
    inputs: Path | None,
    weights: Path | None,
    layout: str | None,
    seed: int,
    **options: Any,
) -> None:
    """Generate token ids from SPEC (a file or the name of a shipped spec) or a bundle, by its `decode` section."""
    from archspec.bundle import Bundle
    from archspec.cli.run_command import read_arrays
    from archspec.decoding import generate
    from archspec.spec.files import is_folder

    rows = [_ids(text) for text in prompts] or None
    arrays = None if inputs is None else read_arrays(inputs)
    source: Checked | Bundle
    module = None
    # A spec is never a folder, so a damaged bundle is reported as such.
    if is_folder(Path(spec)):
        _check_of_bundle(overrides, reduced, weights, layout)
        from archspec.bundle import open as open_bundle

        source = open_bundle(spec)
    else:
        from archspec.checking import accepted

        source = accepted(spec, set=overrides, reduced=reduced, unproved=unproved)
        module = _parameters(source, weights, layout, seed)
    found = generate(source, rows, module=module, inputs=arrays, seed=seed, unproved=unproved, **options)
    if weights is None and module is not None:
        click.echo(f"no weights were given: the parameters are initialised with seed {seed}", err=True)
    faults = source.manifest.unproved if isinstance(source, Bundle) else source.faults
    note_unproved(faults)
    _print(found, faults, as_json)


def _print(rows: tuple[Generated, ...], faults: Sequence[str], as_json: bool) -> None:
    """Print the new ids of each row on one line; as JSON also its prompt, and whether it ended by an end id."""
    if as_json:
        data = [{"prompt": row.prompt, "ids": row.ids, "ended": row.ended} for row in rows]
        print_json({"holds": not faults, "unproved": faults, "rows": data})
        return
    for row in rows:
        click.echo(",".join(map(str, row.ids)))


def _ids(text: str) -> list[int]:
    """Ids from text such as `504,3575`. Raises click.BadParameter."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a list of ids, such as 504,3575", param_hint="--prompt-ids"
        ) from None


def _check_of_bundle(overrides: tuple[str, ...], reduced: bool, weights: Path | None, layout: str | None) -> None:
    """Reject options that do not apply to a bundle. Raises click.UsageError."""
    if overrides or reduced or weights is not None or layout is not None:
        raise click.UsageError(
            "a bundle has its own spec and weights: --set, --reduced, --weights, --weights-layout do not apply"
        )


def _parameters(checked: Checked, weights: Path | None, layout: str | None, seed: int) -> Any:
    """The module's parameters: loaded tensors by name, or a module initialised with the seed."""
    from archspec.weights import load as load_weights

    if weights is not None:
        from archspec.weights.into_module import of_one_dtype

        return of_one_dtype(load_weights(checked.spec, weights, layout))
    import torch

    from archspec.lower import compile

    torch.manual_seed(seed)
    return compile(checked)
