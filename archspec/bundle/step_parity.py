"""Compare the built step of a decoder with the full forward, position by position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archspec.algebra.dim import Dim
from archspec.analyses.cost import cost
from archspec.bundle.parity import MOST_EXACT_FLOPS, MOST_FLOPS, MOST_PARAMETERS, SEED, measured, run_module
from archspec.bundle.report import ParityTrial
from archspec.bundle.stored import StoredArrays
from archspec.checking.checks import accepted
from archspec.contract.report import shown
from archspec.engines.engine import Target
from archspec.engines.module import load_module
from archspec.engines.program import Program
from archspec.engines.step_cache import StepCache
from archspec.engines.steps import BuiltSteps, open_steps
from archspec.lower.step_programs import StepPrograms, step_programs
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.walk import leaves
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.model.runner import Array, Arrays
from archspec.model.samples import sample
from archspec.ops.attention.attention import Attention
from archspec.oracle.interpreter import interpret

ROWS = 3
SHORT = 8
"""Positions that are computed where no window is kept; beside a window, that many more than it."""
AFTER_PREFIX = 2
"""Positions after the first chunk, which covers a prefix."""
_CHUNKS = ((3, 1, 2), (1, 3, 0), (1, 1, 1), (0, 1, 3))
"""How many positions each of three rows is given in the first steps; afterwards each gets one, or what is left."""


def step_of(target: Target | str) -> str:
    """The name of a built step in the report."""
    return f"step of {target}"


@dataclass(frozen=True, kw_only=True)
class StepContest:
    """The built step of a decoder, and the whole model `program` that it is compared with, in folder-relative paths."""

    target: Target
    dtype: DTypeName
    files: Mapping[str, Path]
    program: Program
    checked: Checked
    programs: StepPrograms

    def trials(self) -> Iterator[ParityTrial | str]:
        """Yield the comparison, or a text where it costs too much."""
        sizes = self._sizes()
        flops = cost(self.checked.spec.graph).flops.value(sizes)
        if flops > MOST_FLOPS:
            yield f"{step_of(self.target)} at {shown(sizes)}: {flops:.2g} FLOPs are too many for this check"
            return
        exact = cost(self.checked.spec.graph).parameters <= MOST_PARAMETERS and flops <= MOST_EXACT_FLOPS
        given = [self._inputs(sizes, SEED), self._inputs(sizes, SEED + 1)]
        # What a row is given once stays the same where a second sequence enters it.
        given[1] |= {name: array for name, array in given[0].items() if name not in self.programs.fed}
        # The reference is computed first and released, so that it and the artifact never share memory.
        wanted = self._wanted(given, exact)
        found = self._found(given, sizes)
        output = self.programs.output
        yield ParityTrial(
            artifact=step_of(self.target),
            dtype=self.dtype,
            reference="interpreter" if exact else "module",
            sizes=sizes,
            seed=SEED,
            differences=[measured(output, found, wanted)],
        )

    def _sizes(self) -> dict[str, int]:
        """The sizes of the dims: a few rows, and a window more than once if the model admits so many positions."""
        found, dims = self.programs.found, self.checked.spec.dims
        sizes = {name: symbol.typical for name, symbol in dims.items()}
        for symbol in found.rows.symbols():
            sizes[symbol.name] = _within(symbol.min, symbol.max, symbol.multiple, ROWS)
        rings = [one for one in found.state if one.kind == "last" and one.axis is not None]
        window = max((one.type.shape[one.axis].value({}) for one in rings if one.axis is not None), default=0)
        length = found.length
        sizes[length.name] = _within(length.min, length.max, length.multiple, max(window, self._prefix()) + SHORT)
        return sizes

    def _inputs(self, sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
        """Inputs of the whole model; the first chunk of a row covers its prefix."""
        made = sample(self.program.interface, sizes, seed)
        if not self.programs.found.has_prefix:
            return made
        most = sizes[self.programs.found.length.name] - AFTER_PREFIX
        lengths = [name for name, one in made.items() if one.ndim == 1 and one.dtype.kind == "i"]
        return {name: np.minimum(one, most) if name in lengths else one for name, one in made.items()}

    def _prefix(self) -> int:
        """The longest prefix whose length is a number."""
        ops = [node.op for node in self.checked.spec.graph.walk()]
        masks = [op.mask for op in ops if isinstance(op, Attention) and op.mask is not None]
        opened = [one for mask in masks for one in leaves(mask) if isinstance(one, Prefix)]
        numbers = [one.length.constant for one in opened if one.length is not None]
        return max((number for number in numbers if number is not None), default=0)

    def _wanted(self, given: Sequence[Arrays], exact: bool) -> Array:
        """The output [sequences, rows, positions, ...] of the full forward, on both sequences of each row."""
        output = self.programs.output
        if exact:
            parameters = StoredArrays(self.program.weights)
            return np.stack([interpret(self.checked.spec.graph, one, parameters)[output] for one in given])
        module = load_module(self.program, "float32")
        return np.stack([run_module(module, self.program, one)[output] for one in given])

    def _found(self, given: Sequence[Arrays], sizes: Mapping[str, int]) -> Array:
        """The same from the artifact: both sequences one after the other, in chunks of different lengths a row."""
        steps = open_steps(self.programs, self.target, self.dtype, self.files)
        return _Run(steps, given, sizes).outputs()


class _Run:
    """A run of an opened step over two sequences a row; `sizes` has the number of positions of each."""

    def __init__(self, steps: BuiltSteps, given: Sequence[Arrays], sizes: Mapping[str, int]) -> None:
        self.steps, self.programs, self.given, self.sizes = steps, steps.programs, given, sizes
        self.total = sizes[self.programs.found.length.name]
        self.rows = given[0][self.programs.fed[0]].shape[0]
        self.sequence = np.zeros(self.rows, np.int64)

    def outputs(self) -> Array:
        """The output at every position, [sequences, rows, positions, ...]."""
        once = {name: self.given[0][name] for name in self.programs.given}
        cache = self.steps.new_cache(self.rows, self.total, once, self.sizes)
        found: dict[tuple[int, int, int], Array] = {}
        number = 0
        while (counts := self._counts(cache, number)).any():
            cache = self._step(cache, counts, found)
            number += 1
        some = next(iter(found.values()))
        made = np.full((len(self.given), self.rows, self.total, *some.shape), np.nan, some.dtype)
        for place, value in found.items():
            made[place] = value
        return made

    def _counts(self, cache: StepCache, number: int) -> Array:
        """How many positions each row is given; a row that is full begins its second sequence."""
        full = cache.past == self.total
        enters = full & (self.sequence < len(self.given) - 1)
        self.sequence[enters] += 1
        cache.past = np.where(enters, 0, cache.past)
        left: Array = self.total - cache.past
        chunk: Array = np.resize(_CHUNKS[number] if number < len(_CHUNKS) else (1,), self.rows)
        if self.programs.found.has_prefix:
            # The first chunk covers a prefix of any length.
            chunk = np.where(cache.past == 0, np.maximum(left - AFTER_PREFIX, 1), 1)
        return np.minimum(left, chunk)

    def _step(self, cache: StepCache, counts: Array, found: dict[tuple[int, int, int], Array]) -> StepCache:
        """One step, run once for each of its positions: the output is at one position of each row."""
        past, new = cache.past, int(counts.max())
        for last in range(new):
            trial = cache.copied()
            trial.fit(new, self.programs.found.length)
            fed = {name: self._fed(name, trial, counts) for name in self.programs.fed}
            made = self.steps.run(fed, trial, counts, np.minimum(last, np.maximum(counts - 1, 0)))
            for row in np.flatnonzero(counts > last):
                found[int(self.sequence[row]), int(row), int(past[row]) + last] = made[row]
        return trial

    def _fed(self, name: str, cache: StepCache, counts: Array) -> Array:
        """The new entries of a fed input; rows with fewer are filled up with zeros."""
        length, new = Dim.of(self.programs.found.length), Dim.of(self.programs.found.new)
        shape = self.steps.programs.step.interface.inputs[name].type.shape
        known = {**self.sizes, self.programs.found.new.name: int(counts.max()), str(length): cache.length}
        arrays = [one[name] for one in self.given]
        made = np.zeros([size.value(known) for size in shape], arrays[0].dtype)
        for row, count in enumerate(counts):
            own: Array = arrays[self.sequence[row]][row]
            for axis, size in enumerate(shape[1:]):
                if size == new:
                    own = own.take(range(cache.past[row], cache.past[row] + count), axis)
            # Keys behind the end are read by no position.
            made[row][tuple(slice(size) for size in own.shape)] = own[tuple(slice(size) for size in made[row].shape)]
        return made


def _within(least: int, most: int, multiple: int, wanted: int) -> int:
    """The admitted size next to a wanted one."""
    return max(least, min(-(-wanted // multiple) * multiple, most // multiple * multiple))


def step_contest(
    target: Target, dtype: DTypeName, files: Mapping[str, Path], program: Program, spec: Path
) -> StepContest:
    """The built step of a target, by the first file of each part; `program` is the whole model, `spec` its spec."""
    checked = accepted(spec, unproved=True)
    programs = step_programs(checked)
    # A step was built, so that there is one.
    assert programs is not None
    return StepContest(target=target, dtype=dtype, files=files, program=program, checked=checked, programs=programs)
