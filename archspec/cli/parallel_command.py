"""`archspec parallel`: how a model is split over ranks, what they exchange, and what each of them holds."""

from __future__ import annotations

from typing import Literal

import click

from archspec.checking import accepted
from archspec.cli.options import UNPROVED, spec_options
from archspec.cli.output import print_json
from archspec.cli.parallel_data import proposal_data
from archspec.cli.parallel_table import show_proposal
from archspec.cli.sizes import bytes_of
from archspec.cli.verdicts import note_unproved
from archspec.parallel.proposal import propose

# More ranks than any machine has would only take time: a plan looks for numbers that divide.
_NUMBER = click.IntRange(min=1, max=1_000_000)


@click.command("parallel")
@spec_options
@UNPROVED
@click.option("--tensor", type=_NUMBER, metavar="N", help="Number of ranks that split heads and features.")
@click.option("--data", type=_NUMBER, metavar="M", help="Number of ranks that split the batch and the weights.")
@click.option("--pipeline", type=_NUMBER, metavar="P", help="Number of stages that split the layers.")
@click.option("--sequence", is_flag=True, help="Norms and residuals on a part of the length on each tensor rank.")
@click.option("--expert-parallel", is_flag=True, help="Whole experts on each tensor rank.")
@click.option("--memory", metavar="SIZE", help="Memory of one device, such as 80GB: propose the sizes not given.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Type of activations and of what is exchanged.",
)
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    unproved: bool,
    tensor: int | None,
    data: int | None,
    pipeline: int | None,
    sequence: bool,
    expert_parallel: bool,
    memory: str | None,
    dtype: Literal["float32", "bfloat16"],
) -> None:
    """Plan SPEC over several devices: what is split, what ranks exchange in a step, and what each of them holds.

    `--tensor 8` splits attention by heads, feed-forward networks by features and tables by rows; `--data 4` gives each
    rank a part of the weights, as `fully_shard` does. With `--sequence`, tensor ranks hold parts of the length where
    nothing else is split, and with `--expert-parallel` whole experts. With `--memory 80GB` the fewest devices are
    proposed, in powers of two.
    """
    if memory is None and tensor is None and data is None and pipeline is None:
        raise click.UsageError("give sizes (`--tensor 8`), or the memory of a device (`--memory 80GB`)")
    if sequence and (tensor == 1 or (tensor is None and memory is None)):
        raise click.UsageError("`--sequence` cuts the length over tensor ranks; give their number with `--tensor`")
    if expert_parallel and (tensor == 1 or (tensor is None and memory is None)):
        raise click.UsageError("`--expert-parallel` puts experts on tensor ranks; give their number with `--tensor`")
    if sequence and pipeline is not None and pipeline > 1:
        raise click.UsageError("stages of a pipeline hold the whole length; leave out --sequence or --pipeline")
    checked = accepted(spec, set=overrides, reduced=reduced, unproved=unproved)
    note_unproved(checked.faults)
    size = None if memory is None else bytes_of(memory, "--memory")
    found = propose(checked, tensor, data, pipeline, size, dtype, sequence=sequence, expert_parallel=expert_parallel)
    if as_json:
        print_json(proposal_data(found))
    else:
        show_proposal(found)
