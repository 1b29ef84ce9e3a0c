"""`archspec run`: run a bundle on inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archspec.cli.arrays import input_types, write_arrays
from archspec.cli.options import JSON
from archspec.cli.output import print_json
from archspec.cli.verdicts import note_quantised, note_unproved
from archspec.cli.writing import require_suffix
from archspec.model.archives import read_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray


@click.command("run")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--inputs", required=True, type=click.Path(path_type=Path), help="An .npz file with an array for each input."
)
@click.option("--output", type=click.Path(path_type=Path), help="Output file, .npz.")
@click.option("--artifact", help="Artifact to run (default: the best one that this host can open).")
@JSON
def command(bundle: Path, inputs: Path, output: Path | None, artifact: str | None, as_json: bool) -> None:
    """Run BUNDLE on arrays, by its most strongly verified artifact that this host can open, or by `--artifact`."""
    from archspec.bundle import open as open_bundle

    require_suffix(output, ".npz", "--output")
    opened = open_bundle(bundle, artifact)
    choice = opened.choice()
    outputs = opened.run(read_arrays(inputs, input_types(opened)))
    if output is not None:
        write_arrays(output, outputs)
    shapes = {name: list(array.shape) for name, array in outputs.items()}
    odd = {name: count for name, array in outputs.items() if (count := not_finite(array))}
    note_unproved(opened.manifest.unproved)
    note_quantised(opened.manifest.quantised, choice.target)
    if as_json:
        chosen = {"artifact": choice.target, "reason": choice.reason, "rejected": dict(choice.rejected)}
        found = {"unproved": opened.manifest.unproved, "not_finite": odd}
        print_json({"holds": not opened.manifest.unproved, **chosen, **found, "outputs": shapes, "written": output})
        return
    click.echo(f"ran {choice}")
    for name, shape in shapes.items():
        note = f", {odd[name]} of {outputs[name].size} values are not finite" if name in odd else ""
        click.echo(f"  {name}: {shape}{note}")


def not_finite(array: NDArray[Any]) -> int:
    """The number of values that are NaN or infinite; 0 for arrays that are not float or complex."""
    import numpy as np

    return 0 if array.dtype.kind not in "fc" else int(array.size - np.isfinite(array).sum())
