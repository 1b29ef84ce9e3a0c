"""Compute the networks that TensorRT would compile for a decoder's step, and compare them with the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from archspec.analyses.cost import cost
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.network import entry_of
from archspec.bundle.parity import MOST_EXACT_FLOPS, MOST_FLOPS, MOST_PARAMETERS, SEED, measured, module_runner
from archspec.bundle.report import NetworkEntry, ParityTrial, network_of, step_of
from archspec.bundle.step_parity import StepContest, built_steps, dims_within
from archspec.bundle.stored import StoredArrays
from archspec.checking.checks import accepted
from archspec.contract.lowered import NetworkRunner, rounds
from archspec.contract.report import shown
from archspec.contract.steps import Steps
from archspec.diagnostics import Collector
from archspec.engines.engine import NetworkEngine
from archspec.engines.network.execution import Precision
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.program import Program
from archspec.engines.step_session import FunctionalSession
from archspec.engines.steps import BuiltSteps
from archspec.ir.graph import Graph
from archspec.lower.step_programs import StepPrograms, ports_of, step_programs
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.model.runner import Array, Arrays
from archspec.model.samples import sample
from archspec.model.sizes import minimum, odd, typical
from archspec.oracle.interpreter import interpret
from archspec.record import record

POSITIONS = 2
"""The axis of positions in a buffer [b h length d]."""


@record(eq=False)
class StepNetworks:
    """A program of a decoder's step, the whole model, and what is made before the first step (None: nothing).

    Paths can be opened.
    """

    program: Program
    whole: Program
    once: Program | None
    dtype: DTypeName
    spec: Path


def check_step_network(
    engine: NetworkEngine, source: Path, step: StepNetworks
) -> tuple[NetworkEntry, list[ParityTrial | str]]:
    """Compute the network that an engine makes of a step's exported file, and compare it with the spec.

    Returns the entry for the report and the trials; texts among them are about sizes that were skipped.
    Raises SpecError: E606 for a file that the engine rejects, E609 for an output that differs too much, E620 and E621
    for layers that cannot be computed.
    """
    plan = engine.plan(step.program, source, step.dtype)
    checked = accepted(bundled_spec(step.spec), unproved=True)
    programs = step_programs(checked)
    # A step was built, so that there is one.
    assert programs is not None
    if step.program.state is None:
        made = MadeOnce(name=network_of(f"once of {engine.word}"), plan=plan, step=step, programs=programs)
        trials = list(made.trials())
    else:
        contest = network_contest(engine.word, plan, step, checked, programs)
        trials = list(contest.trials())
    problems = Collector()
    for trial in trials:
        if isinstance(trial, ParityTrial):
            trial.judge(problems)
    problems.raise_if_errors()
    return entry_of(engine.word, plan, step.dtype, []), trials


def network_contest(
    engine: str, plan: NetworkPlan, step: StepNetworks, checked: Checked, programs: StepPrograms
) -> StepContest:
    """Return the network of a step together with the whole model; in half precision it has a twin in float64."""

    def opened(precision: Precision) -> Mapping[str, Steps]:
        return built_steps(network_steps(plan, step, programs, precision), checked)

    return StepContest(
        artifact=network_of(step_of(engine)),
        dtype=step.dtype,
        # In float32, a number half-way between two of a grid may go to either.
        opened=lambda: opened("exact" if rounds(plan) else "declared"),
        program=step.whole,
        checked=checked,
        dims=dims_within(step.whole.interface, step.whole.profiles, programs.found.length),
        twin=None if step.dtype == "float32" else lambda: opened("exact")[""],
    )


def network_steps(
    plan: NetworkPlan, step: StepNetworks, programs: StepPrograms, precision: Precision = "declared"
) -> BuiltSteps:
    """Return a network as an opened step; what is made once before it comes from the emitted module in float32.

    A network in half precision that is computed in float64 has weights rounded to it, and so has that module; what it
    keeps is stored in float32.
    """
    runner = NetworkRunner(plan, precision, cached=False)
    session = FunctionalSession(runner=runner, updates=programs.updates, capacity=capacity_of(step.program))
    weights: DTypeName = "float32"
    floats = step.dtype
    if precision == "exact":
        floats, weights = weights, floats
    once = None if step.once is None else module_runner(step.once, weights, widened=True)
    return BuiltSteps(programs=programs, dtype=floats, step=session, once=once)


@record(eq=False)
class MadeOnce:
    """The network of what is made before the first step."""

    name: str
    plan: NetworkPlan
    step: StepNetworks
    programs: StepPrograms

    def trials(self) -> Iterator[ParityTrial | str]:
        """Yield a comparison at the smallest, odd and typical sizes, or a text for sizes that are too expensive."""
        program, graph = self.step.program, self._graph
        points = [size(program.interface.symbols) for size in (minimum, odd, typical)]
        for sizes in [point for number, point in enumerate(points) if point not in points[:number]]:
            flops = cost(graph).flops.value(sizes)
            if flops > MOST_FLOPS:
                yield f"{self.name} at {shown(sizes)}: {flops:.2g} FLOPs are too many for this check"
                continue
            exact = cost(graph).parameters <= MOST_PARAMETERS and flops <= MOST_EXACT_FLOPS
            inputs = sample(program.interface, sizes, SEED)
            wanted = self._interpreted(inputs) if exact else module_runner(program).run(inputs)
            found = NetworkRunner(self.plan, "exact" if rounds(self.plan) else "declared").run(inputs)
            yield ParityTrial(
                artifact=self.name,
                dtype=self.step.dtype,
                reference="interpreter" if exact else "module",
                sizes=sizes,
                seed=SEED,
                differences=[measured(name, found[name], wanted[name]) for name in program.interface.outputs],
            )

    @property
    def _graph(self) -> Graph:
        found = self.programs.found.once
        assert found is not None
        return found

    def _interpreted(self, inputs: Arrays) -> dict[str, Array]:
        """What the interpreter makes, one value a layer."""
        made, found = interpret(self._graph, inputs, StoredArrays(self.step.program.weights)), dict[str, Array]()
        for one in self.programs.found.state:
            if one.kind == "once":
                parts = made[one.name] if one.layers else [made[one.name]]
                found |= dict(zip(ports_of(one, one.name), parts, strict=True))
        return found


def capacity_of(program: Program) -> int | None:
    """Return how many entries the buffers of a step have in every profile, None without such buffers."""
    if program.state is None or not program.state.buffers:
        return None
    # The capacity is the same in every profile, as `step_profiles` makes them.
    return program.ranges()[0][program.state.buffers[0]][0][POSITIONS]
