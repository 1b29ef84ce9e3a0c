"""`archspec.load_weights`: a checkpoint is loaded into the module of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.checking.checks import SpecSource, accepted
from archspec.diagnostics import warn
from archspec.weights.into_module import is_stage, put_into
from archspec.weights.load import WeightsReport, load_from
from archspec.weights.sharded import is_sharded, load_sharded

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_weights(
    module: nn.Module,
    source: SpecSource,
    weights: str | Path | Mapping[str, Tensor],
    *,
    layout: str | None = None,
    unproved: bool = False,
) -> WeightsReport:
    """Load a published checkpoint into the module of a spec, all of it or nothing.

    Where parameters are DTensors, every rank calls it with the same checkpoint and reads what it holds, and of a mapped
    file nothing else. All ranks raise the errors that one process does.

    Args:
        module: what `archspec.compile` made of the spec, or what `make_stage` of its `pipeline.py` made: a stage reads
            its own parameters alone. Its dtypes stay, and tied parameters are one. Made under `torch.device("meta")` it
            costs no memory and no time before, and gets memory for the weights here.
        source: a spec (loaded, a file, or the bare name of a shipped one), or one that was accepted before.
        weights: a safetensors or GGUF file, a folder with safetensors or an index of shards, or tensors by name.
        layout: the name of one of the spec's layouts; left out, the one that fits.
        unproved: go on although something in the spec does not hold.

    Returns:
        which layout the checkpoint has, and which of its names were skipped or stand for a tensor that has another.

    Warns:
        SpecWarning: W510 for a skipped tensor that may be tied, W511 for files that are not read.

    Raises:
        SpecError: E510 to E528 where the checkpoint does not fit the spec, E607 where the module does not,
            E940 where another rank failed alone.
    """
    # Everything is read and converted before the module is touched: it gets all of it or nothing.
    spec = accepted(source, unproved=unproved).spec
    if is_sharded(module) or is_stage(module):
        report = load_sharded(module, spec, weights, layout)
    else:
        loaded = load_from(spec, weights, layout)
        put_into(module, loaded.tensors, keep=not loaded.is_own)
        report = loaded.report
    warn(report.warnings)
    return report
