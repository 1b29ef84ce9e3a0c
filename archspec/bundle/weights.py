"""The weights of a bundle: given ones under the module's names, or those of a fresh module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.bundle.manifest import WeightsEntry
from archspec.bundle.sources import WEIGHTS
from archspec.engines.build import initialise
from archspec.engines.process import Progress, Stage
from archspec.engines.program import Program
from archspec.lower.modules import check_memory
from archspec.model.checked import Checked

Weights = str | Path | Mapping[str, Any] | None


def put_weights(
    folder: Path,
    checked: Checked,
    program: Program,
    weights: Weights,
    layout: str | None,
    seed: int,
    progress: Progress,
) -> tuple[WeightsEntry, tuple[Stage, ...]]:
    """Write the weights file of a bundle.

    `layout` names the layout of given weights; `seed` is used for a fresh module. Returns the manifest's entry and the
    measured steps. Raises SpecError E504 if memory is insufficient, E510 to E528 for weights that do not fit.
    """
    if weights is None:
        check_memory(checked)
        stage = initialise(folder, program, seed, progress)
        return WeightsEntry(path=WEIGHTS, origin="initialised", seed=seed), (stage,)
    from safetensors.torch import save_file

    from archspec.weights import load

    progress("load weights", None)
    tensors = load(checked.spec, weights, layout)
    # safetensors refuses tensors that are not contiguous, such as transposed views.
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / program.weights)
    progress("load weights", 1.0)
    return WeightsEntry(path=WEIGHTS, origin="given", layout=layout), ()
