"""Compare the built step of a decoder with the full forward: the contract judges, on the weights of the bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from archspec.algebra.dim import Symbol
from archspec.analyses.cost import cost
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.parity import MOST_EXACT_FLOPS, MOST_FLOPS, MOST_PARAMETERS, SEED, module_runner
from archspec.bundle.report import TOLERANCE, OutputDifference, ParityTrial, Reference, step_of
from archspec.bundle.stored import StoredArrays
from archspec.checking.checks import accepted
from archspec.contract.race import Finish, FullForwards
from archspec.contract.report import shown
from archspec.contract.stepped import Glance, decoded
from archspec.contract.steps import Steps
from archspec.engines.engine import Target
from archspec.engines.profiles import Profile
from archspec.engines.program import Program
from archspec.engines.registry import engine_of
from archspec.engines.step_cache import StepCache
from archspec.engines.steps import BuiltSteps, open_steps
from archspec.lower.step_programs import step_programs
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName, Interface, interface_of, sizes_of
from archspec.model.runner import Array, Arrays, FunctionRunner
from archspec.oracle.borders import MOST, TWICE, nudged
from archspec.oracle.interpreter import interpret
from archspec.passes.round_operands import rounds
from archspec.record import record
from archspec.spec.claims import claims_of

_CONSTANTS = 0.5
"""The part of rounding that constants in half precision, such as the scale of scores, may make up."""


@record(eq=False)
class ContractSteps:
    """Opened programs of a decoder as the contract runs them; `interface` is that of the whole model."""

    steps: BuiltSteps
    interface: Interface

    def start(self, rows: int, capacity: int, given: Arrays) -> StepCache:
        """Return an empty cache."""
        return self.steps.new_cache(rows, capacity, given, sizes_of(self.interface, given))

    def step(self, state: StepCache, fed: Arrays, counts: Array) -> tuple[Array, StepCache]:
        """Return the output at each row's last new position, and the same cache."""
        return self.steps.run(self._own(fed), state, counts), state

    def peek(self, state: StepCache, fed: Arrays, counts: Array, places: Array) -> Array:
        """Return the output at one new position of each row; the cache stays as it is."""
        return self.steps.run(self._own(fed), state.copied(), counts, places)

    def restart(self, state: StepCache, rows: Sequence[int], given: Arrays) -> StepCache | None:
        """Return the same cache in which some rows have had no positions; None where rows have no axis of their own."""
        programs = self.steps.programs
        if programs.given and not self.steps.selects:
            return None
        # Entries from the past on are never read, so the old ones need not be erased.
        state.past[list(rows)] = 0
        if not programs.given:
            return state
        fresh = self.start(len(state.past), state.capacity, given)
        for name, axis in programs.axes.items():
            for mine, theirs in ((state.once, fresh.once), (state.held, fresh.held)):
                if name in mine and axis is not None:
                    place = (slice(None),) * axis + (list(rows),)
                    mine[name][place] = theirs[name][place]
        return state

    def _own(self, fed: Arrays) -> dict[str, Array]:
        return {name: fed[name] for name in self.steps.programs.fed}


@record(eq=False)
class StepContest:
    """The built step of a decoder, and the whole model `program` that it is compared with.

    Args:
        artifact: its name in the report.
        dtype: the precision of the step.
        opened: opens it, called after the full forwards were computed: by what is added to the name of the output, the
            ways in which it runs.
        program: the whole model, with paths that can be opened.
        checked: its spec.
        dims: the ranges within which sizes are chosen; those of the spec if left out.
        twin: opens the step computed in float64, on weights that are rounded to `dtype`, where it can be. Where the
            step differs too much, its twin must equal the reference at every position, up to a share of the rounding
            there and never beyond the tolerance of `dtype`: only then may the step, at a position, be as far off as the
            emitted module in `dtype` is.
    """

    artifact: str
    dtype: DTypeName
    opened: Callable[[], Mapping[str, Steps]]
    program: Program
    checked: Checked
    dims: Mapping[str, Symbol] | None = None
    twin: Callable[[], Steps] | None = None

    def trials(self) -> Iterator[ParityTrial | str]:
        """Yield the comparison, or a text where it costs too much. Raises SpecError E610 if the step fails to run."""
        sizes = self._glance.rows.sizes
        flops = cost(self.checked.spec.graph).flops.value(sizes)
        if flops > MOST_FLOPS:
            yield f"{self.artifact} at {shown(sizes)}: {flops:.2g} FLOPs are too many for this check"
            return
        # The reference is computed first and released, so that it and the artifact never share memory.
        wanted = self._wanted("float32")
        if rounds(self.checked.spec.graph):
            if self._reference == "module":
                yield f"{self.artifact}: too large for float64, which tells what rounding leaves open"
                return
            off = nudged(self.checked.spec.graph, StoredArrays(self.program.weights))
            wanted.round(FunctionRunner(function=off), share=TWICE, most=MOST)
        outcomes = self._outcomes(wanted)
        if self.twin is not None and any(one.witness for one in outcomes.values()):
            yield from self._excused(wanted)
            outcomes = self._outcomes(wanted)
        yield self._trial(self.artifact, self.dtype, outcomes)
        yield from (f"{self.artifact}: {one.excuse(self.dtype)}" for one in outcomes.values() if one.rounded)

    def _excused(self, wanted: FullForwards) -> Iterator[ParityTrial]:
        """Yield the comparison of the twin; where it equals the reference, `wanted` learns what rounding alone does."""
        assert self.twin is not None
        rounded, same = module_runner(self.program, self.dtype), self._wanted(self.dtype)
        # Where rounding is large, too, nothing but the tolerance is allowed to what does not round.
        typical = same.round(rounded, share=_CONSTANTS, most=TOLERANCE[self.dtype])
        found = self._glance.outcome(self.twin(), same, TOLERANCE["float32"])
        yield self._trial(f"{self.artifact}, computed in float64", "float32", {"": found})
        # A model that half precision moves that far everywhere is refused.
        if not found.witness and typical < TOLERANCE[self.dtype] / 2:
            wanted.round(rounded)

    @cached_property
    def _reference(self) -> Reference:
        counted = cost(self.checked.spec.graph)
        exact = counted.flops.value(self._glance.rows.sizes) <= MOST_EXACT_FLOPS
        return "interpreter" if exact and counted.parameters <= MOST_PARAMETERS else "module"

    def _wanted(self, dtype: DTypeName) -> FullForwards:
        """The full forwards, on weights that are rounded to a dtype."""
        if self._reference == "module":
            return self._glance.wanted(module_runner(self.program, dtype, widened=True))
        graph, parameters = self.checked.spec.graph, StoredArrays(self.program.weights, dtype)
        return self._glance.wanted(FunctionRunner(function=lambda arrays: interpret(graph, arrays, parameters)))

    def _outcomes(self, wanted: FullForwards) -> dict[str, Finish]:
        return {how: self._glance.outcome(steps, wanted, TOLERANCE[self.dtype]) for how, steps in self.opened().items()}

    @cached_property
    def _glance(self) -> Glance:
        claims = claims_of(self.checked.spec)
        known = decoded(claims if self.dims is None else replace(claims, dims=self.dims))
        # A step was built, so that there is one.
        assert known is not None
        return Glance(known=known, seed=SEED)

    def _trial(self, artifact: str, dtype: DTypeName, outcomes: Mapping[str, Finish]) -> ParityTrial:
        decode = self.checked.spec.decode
        assert decode is not None
        differences = [
            OutputDifference(
                output=f"{decode.output}{how}",
                largest=one.apart.largest,
                scale=one.apart.scale,
                place=one.witness,
                rounding=one.rounding,
            )
            for how, one in outcomes.items()
        ]
        return ParityTrial(
            artifact=artifact,
            dtype=dtype,
            reference=self._reference,
            sizes=dict(self._glance.rows.sizes),
            seed=SEED,
            differences=differences,
        )


def built_steps(steps: BuiltSteps, checked: Checked) -> Mapping[str, Steps]:
    """Opened programs as what a contest compares."""
    return {"": ContractSteps(steps=steps, interface=interface_of(checked.spec))}


def dims_within(interface: Interface, profiles: Sequence[Profile], length: Symbol) -> dict[str, Symbol] | None:
    """The dims of a whole model within the profile that has the most positions, None without profiles."""
    if not profiles:
        return None
    longest = max(profiles, key=lambda profile: profile[length.name][2])
    return {symbol.name: symbol for symbol in interface.narrowed(longest).symbols}


def step_contest(
    target: Target, dtype: DTypeName, files: Mapping[str, Path], program: Program, spec: Path
) -> StepContest:
    """The built step of a target, by the first file of each part; `program` is the whole model, `spec` its spec."""
    # Whether unproved rules are accepted was decided before the build began.
    checked = accepted(bundled_spec(spec), unproved=True)
    programs = step_programs(checked)
    # A step was built, so that there is one.
    assert programs is not None

    def opened() -> Mapping[str, Steps]:
        return built_steps(open_steps(programs, target, dtype, files), checked)

    profiles = program.profiles if engine_of(target).profiled else ()
    return StepContest(
        artifact=step_of(target),
        dtype=dtype,
        opened=opened,
        program=program,
        checked=checked,
        dims=dims_within(program.interface, profiles, programs.found.length),
    )
