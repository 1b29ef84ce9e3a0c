"""The scores of a decoder's built step at every position, fed one new position at a time, as in generation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archspec.checking.checks import accepted
from archspec.engines.engine import Target
from archspec.engines.steps import BuiltSteps, open_steps
from archspec.lower.step_programs import step_programs
from archspec.model.ports import DTypeName, Interface, sizes_of
from archspec.model.runner import Array, Arrays, FunctionRunner, Runner
from archspec.spec import Spec


def step_runner(
    spec: Spec, interface: Interface, target: Target, dtype: DTypeName, files: Mapping[str, Path], *, rounded: bool
) -> Runner:
    """The step of a target as a runner of the whole model; see `open_steps`. `interface` is that of the whole model."""
    # What is measured was accepted when its build began.
    programs = step_programs(accepted(spec, unproved=True))
    assert programs is not None
    steps = open_steps(programs, target, dtype, files, rounded=rounded)
    return FunctionRunner(function=lambda arrays: {programs.output: _scores(steps, interface, arrays)})


def _scores(steps: BuiltSteps, interface: Interface, arrays: Arrays) -> Array:
    """The output [rows, positions, ...]."""
    programs = steps.programs
    fed = {name: arrays[name] for name in programs.fed}
    rows, positions = next(iter(fed.values())).shape[:2]
    given = {name: arrays[name] for name in programs.given}
    cache, one = steps.new_cache(rows, positions, given, sizes_of(interface, arrays)), np.ones(rows, np.int64)
    # A copy, since the runtime may fill the same memory again.
    made = [
        steps.run({name: array[:, at : at + 1] for name, array in fed.items()}, cache, one).copy()
        for at in range(positions)
    ]
    return np.stack(made, axis=1)
