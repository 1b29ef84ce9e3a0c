"""`archspec compile`: the PyTorch file."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.checking import accepted
from archspec.cli.options import UNPROVED, spec_options
from archspec.cli.output import print_json
from archspec.cli.verdicts import note_unproved
from archspec.cli.writing import write_whole
from archspec.lower import emit
from archspec.parallel.emission import emit_parallelize
from archspec.parallel.pipeline import emit_pipeline

_BESIDE = "parallelize.py"


@click.command("compile")
@spec_options
@UNPROVED
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Output file (default: print the module)."
)
@click.option(
    "--parallel",
    type=click.IntRange(min=2),
    metavar="N",
    help="Also write parallelize.py beside the output, which splits the module over N tensor ranks.",
)
@click.option(
    "--sequence", is_flag=True, help="With --parallel: norms and residuals on a part of the length on each rank."
)
@click.option("--expert-parallel", is_flag=True, help="With --parallel: whole experts on each rank.")
@click.option(
    "--pipeline",
    type=click.IntRange(min=2),
    metavar="P",
    help="Also write P stages of consecutive layers beside the output, and pipeline.py, which runs them.",
)
@click.option(
    "--expose", multiple=True, metavar="PATH", help="Add an inner value, such as attention weights, as an output."
)
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    unproved: bool,
    output: Path | None,
    parallel: int | None,
    sequence: bool,
    expert_parallel: bool,
    pipeline: int | None,
    expose: tuple[str, ...],
) -> None:
    """Compile SPEC to one PyTorch file that imports only torch."""
    for option, wanted, file in (("--parallel", parallel, _BESIDE), ("--pipeline", pipeline, "pipeline.py")):
        if wanted is not None and output is None:
            raise click.UsageError(f"{option} writes {file} beside the module; give the module's file with --output")
    if sequence and parallel is None:
        raise click.UsageError("--sequence is a way of --parallel; give a number of ranks with it")
    if expert_parallel and parallel is None:
        raise click.UsageError("--expert-parallel is a way of --parallel; give a number of ranks with it")
    if sequence and pipeline is not None:
        raise click.UsageError("stages of a pipeline hold the whole length; leave out --sequence or --pipeline")
    checked = accepted(spec, set=overrides, reduced=reduced, unproved=unproved)
    source = emit(checked, expose=expose)
    faults = checked.faults
    note_unproved(faults)
    beside: dict[str, str] = {}
    if parallel is not None and pipeline is None:
        text = emit_parallelize(checked, parallel, expose=expose, sequence=sequence, expert_parallel=expert_parallel)
        beside = {_BESIDE: text}
    if pipeline is not None:
        beside = emit_pipeline(checked, pipeline, tensor=parallel, expose=expose, expert_parallel=expert_parallel)
    if output is not None:
        write_whole(output, source)
        for name, text in beside.items():
            write_whole(output.with_name(name), text)
    if as_json:
        data = {"holds": not faults, "unproved": faults, "output": output, "lines": source.count("\n")}
        print_json({**data, "source": None if output else source})
    elif output is None:
        click.echo(source, nl=False)
    else:
        click.echo(f"wrote {output}: {source.count(chr(10))} lines")
        for name in beside:
            ranks = f": for {parallel} tensor ranks" if name.startswith("parallelize") else ""
            click.echo(f"wrote {output.with_name(name)}{ranks}")
