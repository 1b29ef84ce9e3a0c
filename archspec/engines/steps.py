"""A decoder whose step was built: it keeps the state of rows, and runs the step and what is made once before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from archspec.algebra.dim import Dim
from archspec.diagnostics import fail
from archspec.engines.engine import Target
from archspec.engines.opening import open_artifact, open_step
from archspec.engines.step_cache import StepCache, check_counts, check_room, store
from archspec.engines.step_groups import groups
from archspec.engines.step_parts import StepPart, parts
from archspec.engines.step_session import StepSession
from archspec.lower.step_programs import StepPrograms
from archspec.model.inputs import converted
from archspec.model.ports import DTypeName
from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record


@record(eq=False)
class BuiltSteps:
    """Opened programs of a decoder: `once` is None where nothing is made before the first step."""

    programs: StepPrograms
    dtype: DTypeName
    step: StepSession
    once: Runner | None

    @property
    def selects(self) -> bool:
        """Whether rows can be taken out of a cache."""
        return None not in self.programs.axes.values() and not self.programs.found.rows.is_constant

    def new_cache(self, rows: int, capacity: int, given: Arrays, sizes: Mapping[str, int]) -> StepCache:
        """An empty cache.

        Args:
            rows: how many rows are decoded together.
            capacity: the maximum number of positions of a row, a size that the dim of the positions admits.
            given: the inputs that are given once, by name.
            sizes: the size of each dim of the spec.

        Raises:
            SpecError: E610 for more positions than the artifact's own capacity.
            ValueError: for more positions than the model has.
        """
        found, fixed = self.programs.found, self.step.capacity
        if fixed is not None:
            if capacity > fixed:
                fail("E610", f"the cache of the artifact has room for {fixed} positions, not for {capacity}", None)
            capacity = fixed
        if capacity > found.length.max:
            raise ValueError(f"capacity must be at most {found.length.max}, not {capacity}")
        known = {**sizes, found.length.name: capacity, **{symbol.name: rows for symbol in found.rows.symbols()}}
        cache = StepCache(rows, capacity, found.state, known, self.dtype)
        if fixed is not None:
            cache.fit(fixed, found.length)
        inputs = self.programs.step.interface.inputs
        cache.held = {name: converted(inputs[name], given[name], known, self.dtype) for name in self.programs.held}
        if self.once is not None:
            assert self.programs.once is not None
            ports = self.programs.once.interface.inputs
            cache.once = self.once.run(
                {name: converted(port, given[name], known, self.dtype) for name, port in ports.items()}
            )
        return cache

    def run(self, fed: Arrays, cache: StepCache, counts: Array, last: Array | None = None) -> Array:
        """The output [rows, ...] at a new position of each row; the cache has the new positions afterwards.

        Args:
            fed: new entries of the fed inputs, [rows, new, ...].
            cache: what earlier steps kept.
            counts: int64 [rows], how many of the new positions are the row's own, the first ones.
            last: int64 [rows], which of the new positions the output is at; the last one of each row if left out.

        Raises:
            SpecError: E610 if the runtime fails.
            ValueError: if counts or last are no numbers of new positions, if a row has more positions than its cache
                takes, and, in an artifact of a fixed capacity, if no row has new ones.
        """
        new = next(iter(fed.values())).shape[1]
        check_counts(counts, len(cache.past), new)
        # No program compares them: behind the capacity it would write nothing, and read what it finds.
        check_room(cache.past + counts, cache.capacity if cache.whole else self.programs.found.length.max)
        # A row without new positions has no last one: its output means nothing.
        places = np.maximum(counts - 1, 0) if last is None else last
        check_counts(places, len(cache.past), new - 1, "last")
        if self.step.capacity is None:
            return self._run(fed, cache, counts, places)
        found: Array | None = None
        for group in groups(cache.past, counts, self.step.capacity):
            part = {name: self._first(name, array, group.new) for name, array in fed.items()}
            with group.others_kept(cache, self.programs.axes):
                made = self._run(part, cache, group.counts, np.minimum(places, group.new - 1))
            # A copy: what a runner returns may be kept by it.
            found = made.copy() if found is None else found
            found[group.rows] = made[group.rows]
        assert found is not None
        return found

    def _run(self, fed: Arrays, cache: StepCache, counts: Array, places: Array) -> Array:
        programs, ports = self.programs, self.programs.step.interface.inputs
        new = next(iter(fed.values())).shape[1]
        cache.fit(new, programs.found.length)
        own = {"past": cache.past, "count": counts, "last": places}
        inputs = {name: np.ascontiguousarray(one, np.int64) for name, one in own.items() if name in ports}
        inputs |= {name: converted(ports[name], fed[name], {}, self.dtype) for name in programs.fed}
        inputs |= cache.held
        if self.step.by_rows:
            output = self._run_parts(inputs, cache, list(parts(cache.past, counts, places, new)))
        else:
            outputs, state = self.step.run(inputs, cache.parts)
            store(cache.parts, state)
            output = outputs[programs.output]
        cache.past = cache.past + counts
        return output

    def _run_parts(self, inputs: Arrays, cache: StepCache, found: Sequence[StepPart]) -> Array:
        """The output of a step that is run in parts."""
        programs, outputs = self.programs, list[Array]()
        # A row that is full is fed on after its end: what it writes then is read by no step.
        inputs = {**inputs, "past": np.minimum(inputs["past"], max(cache.length - 1, 0))}
        for part in found:
            own = {name: part.of_input(programs, name, one) for name, one in inputs.items()}
            kept = part.of_state(programs, cache.parts)
            made, state = self.step.run(own, kept if part.row is None else _contiguous(kept))
            store(kept, state)
            outputs.append(made[programs.output])
        return np.concatenate(outputs) if len(outputs) > 1 else outputs[0]

    def _first(self, name: str, array: Array, new: int) -> Array:
        """The first `new` of the new entries of a fed input."""
        size = Dim.of(self.programs.found.new)
        shape = self.programs.step.interface.inputs[name].type.shape
        return array[tuple(slice(new) if one == size else slice(None) for one in shape)]


def open_steps(
    programs: StepPrograms, target: Target, dtype: DTypeName, files: Mapping[str, Path], *, rounded: bool = False
) -> BuiltSteps:
    """Open the artifacts of a target, given by part; see `open_artifact`. Raises SpecError E610 for a rejected one."""
    step = open_step(target, files["step"], programs.step.interface, programs.updates, rounded=rounded)
    once = None
    if programs.once is not None:
        once = open_artifact(target, files["once"], programs.once.interface, rounded=rounded)
    return BuiltSteps(programs=programs, dtype=dtype, step=step, once=once)


def _contiguous(arrays: Arrays) -> dict[str, Array]:
    """The same arrays, copied where their entries are apart."""
    return {name: np.ascontiguousarray(one) for name, one in arrays.items()}
