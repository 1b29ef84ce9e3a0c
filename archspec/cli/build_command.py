"""`archspec build`: a bundle with deployable artifacts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archspec.cli.completion import complete_targets
from archspec.cli.options import UNPROVED, seed_option, spec_options
from archspec.cli.output import print_json
from archspec.cli.quantise_options import quantise_options

if TYPE_CHECKING:
    from archspec.bundle.expected import Expected
    from archspec.bundle.quantising import Quantisation
    from archspec.bundle.triton import Layout
    from archspec.model.checked import Checked


@click.command("build")
@spec_options
@UNPROVED
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Output folder of the bundle.")
@click.option("--weights", type=click.Path(path_type=Path), help="Safetensors (a file or a folder) or a GGUF file.")
@click.option("--weights-layout", help="Name of the weights layout (default: the one that matches).")
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    help="The original that module and artifacts are held to: an .npz file with its inputs and outputs, or a folder of "
    "Hugging Face, which is run by transformers.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    default=("onnx",),
    show_default=True,
    shell_complete=complete_targets,
    help="Artifacts to build: onnx, openvino, inductor, tensorrt-rtx:sm86,sm89; separated by commas; repeatable.",
)
@click.option(
    "--dtype",
    type=click.Choice(("float32", "float16", "bfloat16")),
    default="float32",
    show_default=True,
    help="Precision of the artifacts.",
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="DIM=SIZES,...",
    help="Sizes to build engines for: batch=1,tokens=1:64:128 (default: all admitted). Repeat for more profiles.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file to include in the bundle, such as a tokenizer; repeatable.",
)
@click.option(
    "--layout",
    type=click.Choice(("bundle", "triton", "genai")),
    default="bundle",
    show_default=True,
    help="Put the artifacts into a model repository of Triton Inference Server (`triton`), or add a folder from which "
    "ONNX Runtime GenAI generates (`genai`).",
)
@click.option(
    "--tensor",
    type=click.IntRange(min=2),
    metavar="N",
    help="Split the model over N tensor ranks, and build an engine for each (target tensorrt-rtx).",
)
@quantise_options
@click.option("--no-cache", is_flag=True, help="Build everything without reading or writing the cache.")
@click.option(
    "--benchmark", is_flag=True, help="Time the artifacts that this host can run; `run` then uses the fastest."
)
@seed_option("Seed of the initial weights when none are given.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    unproved: bool,
    output: Path,
    weights: Path | None,
    weights_layout: str | None,
    expect: Path | None,
    targets: tuple[str, ...],
    dtype: str,
    profiles: tuple[str, ...],
    files: tuple[Path, ...],
    layout: Layout,
    tensor: int | None,
    quantise: Quantisation,
    no_cache: bool,
    benchmark: bool,
    seed: int,
) -> None:
    """Build a bundle of SPEC: the emitted module, weights, artifacts, and a report of what was verified."""
    from archspec.bundle import build
    from archspec.checking import accepted
    from archspec.cli.progress import progress
    from archspec.cli.writing import require_apart

    # Before anything is built: a build replaces the whole folder.
    require_apart(output)
    with progress(enabled=not as_json) as tell:
        checked = accepted(spec, set=overrides, reduced=reduced, unproved=unproved)
        bundle = build(
            checked,
            output,
            weights=weights,
            targets=targets,
            dtype=dtype,
            weights_layout=weights_layout,
            layout=layout,
            files=files,
            profiles=profiles,
            tensor=tensor,
            quantise=quantise,
            seed=seed,
            cache=not no_cache,
            benchmark=benchmark,
            expect=_reference(expect, checked),
            progress=tell,
        )
    if as_json:
        holds = not bundle.manifest.unproved and not bundle.manifest.rejected
        print_json({"holds": holds, "output": output, "manifest": bundle.manifest.model_dump(mode="json")})
    else:
        click.echo(bundle.summary())
    if bundle.manifest.rejected:
        # What was built is there and verified, but not all that was asked for.
        sys.exit(1)


def _reference(given: Path | None, checked: Checked) -> Expected:
    """The reference: a file, or what the model of a folder gives. Raises SpecError E604, E642, E730, E731 or E734."""
    if given is None or not given.is_dir():
        return given
    from archspec.interop.huggingface.original import reference_of
    from archspec.spec.claims import claims_of

    return reference_of(claims_of(checked.spec), given)
