"""Measure the scales of a bundle's activations on given inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.bundle.parity import run_module
from archspec.bundle.rows import rows_of
from archspec.diagnostics import fail
from archspec.engines.module import module_class
from archspec.engines.program import Program
from archspec.model.archives import read_arrays
from archspec.quantising.calibrating import Calibration, rounding_layers, scale_names

if TYPE_CHECKING:
    from torch import Tensor, nn


def measured_scales(program: Program, data: Path, called: str) -> dict[str, Tensor]:
    """The scales of a module that rounds, by the names of their buffers, measured on the rows of a file of inputs.

    `program` has the module and weights without scales. Raises SpecError E633 for inputs that cannot be used, and those
    of `read_arrays` and `prepare`.
    """
    types = {port.name: port.type for port in program.interface.input_ports}
    arrays = read_arrays(data, types, called)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            fail("E633", f"`{name}` of the inputs to calibrate on has values that are not finite", None)
    rows = list(rows_of(program.interface, arrays, "the inputs to calibrate on"))
    module = rounding_module(program, {})
    calibration = Calibration(module, len(rows))
    with calibration.watched():
        for row in rows:
            run_module(module, program, row)
    return scale_names(calibration.scales())


def rounding_module(program: Program, scales: Mapping[str, Any]) -> nn.Module:
    """The module of a program that rounds, on weights without scales; those that are not given are 1."""
    import torch
    from safetensors.torch import load_file

    with torch.device("meta"):
        module = module_class(program.source, program.module)()
    own = {name: layer.get_buffer("scale") for name, (layer, _) in rounding_layers(module).items()}
    ones = scale_names({name: torch.ones(scale.shape) for name, scale in own.items()})
    module.load_state_dict({**load_file(program.weights), **ones, **scales}, strict=True, assign=True)
    return module.eval().requires_grad_(False).to(torch.float32)
