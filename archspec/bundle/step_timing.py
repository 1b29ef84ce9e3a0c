"""Time the built step of a decoder: one new position of one row, at a past that is stated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import median

import numpy as np

from archspec.bundle.parity import SEED
from archspec.bundle.report import Timing, step_of
from archspec.bundle.step_parity import ContractSteps
from archspec.bundle.timing import Run, alternating
from archspec.contract.race import rows_at
from archspec.contract.sequences import Decoded, Rows
from archspec.contract.stepped import decoded
from archspec.engines.registry import target_of
from archspec.engines.steps import open_steps
from archspec.lower.step_programs import StepPrograms
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName, interface_of
from archspec.model.samples import patterns
from archspec.spec.claims import claims_of


def time_steps(
    files: Mapping[str, Mapping[str, Path]],
    checked: Checked,
    programs: StepPrograms,
    dtype: DTypeName,
    rounding: Collection[str] = (),
) -> list[Timing]:
    """Time steps, given by target as the first file of each part; see `time_artifacts` for the turns they take.

    Each computes the last position of a sequence of typical length: the others are its past, whose entries are zeros.
    Returns the median time of one row, or of as few as the spec admits, with the number of positions as the size of
    their dim. Raises SpecError E610 for one that does not open or run.
    """
    known = decoded(claims_of(checked.spec))
    # A step was built, so that there is one.
    assert known is not None
    sizes = _sizes(known)
    rows = rows_at(known, sizes, patterns(known.claims)[0], SEED)

    def run(target: str, parts: Mapping[str, Path]) -> Run:
        opened = open_steps(programs, target_of(target), dtype, parts, rounded=target in rounding)
        return _again(ContractSteps(steps=opened, interface=interface_of(checked.spec)), rows, sizes)

    taken = alternating({target: run(target, parts) for target, parts in files.items()})
    return [
        Timing(artifact=step_of(target), sizes=sizes, milliseconds=round(median(times) * 1e3, 4), runs=len(times))
        for target, times in taken.items()
    ]


def _sizes(known: Decoded) -> dict[str, int]:
    """One row, or as few as are admitted, and typical sizes of all other dims."""
    rows = {symbol.name: symbol.min for symbol in known.found.rows.symbols()}
    return {name: rows.get(name, symbol.typical) for name, symbol in known.claims.dims.items()}


def _again(steps: ContractSteps, rows: Rows, sizes: Mapping[str, int]) -> Run:
    """A function that computes the last position, each time from the same past."""
    name, numbers = rows.decoded.length.name, [0] * rows.count
    past = np.full(rows.count, sizes[name] - 1, np.int64)
    state = steps.start(rows.count, rows.sizes[name], rows.given(numbers))
    fed = rows.chunk(numbers, past.tolist(), [1] * rows.count, SEED)

    def run() -> None:
        # A step advances the past, so every run begins by setting it back.
        state.past = past
        steps.step(state, fed, np.ones(rows.count, np.int64))

    return run
