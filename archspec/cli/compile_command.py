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
    expose: tuple[str, ...],
) -> None:
    """Compile SPEC to one PyTorch file that imports only torch."""
    if parallel is not None and output is None:
        raise click.UsageError(f"--parallel writes {_BESIDE} beside the module; give the module's file with --output")
    if sequence and parallel is None:
        raise click.UsageError("--sequence is a way of --parallel; give a number of ranks with it")
    checked = accepted(spec, set=overrides, reduced=reduced, unproved=unproved)
    source = emit(checked, expose=expose)
    faults = checked.faults
    note_unproved(faults)
    if output is not None:
        write_whole(output, source)
        if parallel is not None:
            text = emit_parallelize(checked, parallel, expose=expose, sequence=sequence)
            write_whole(output.with_name(_BESIDE), text)
    if as_json:
        data = {"holds": not faults, "unproved": faults, "output": output, "lines": source.count("\n")}
        print_json({**data, "source": None if output else source})
    elif output is None:
        click.echo(source, nl=False)
    else:
        click.echo(f"wrote {output}: {source.count(chr(10))} lines")
        if parallel is not None:
            click.echo(f"wrote {output.with_name(_BESIDE)}: for {parallel} tensor ranks")
