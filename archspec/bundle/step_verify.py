"""Verify the built step of a bundle's decoder: in chunks of every kind, against full forwards of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archspec.bundle.bundle import Bundle
from archspec.bundle.choice import obstacle
from archspec.bundle.report import TOLERANCE
from archspec.bundle.step_artifacts import OpenedSteps, opened_steps
from archspec.bundle.step_parity import step_of
from archspec.checking.checks import accepted
from archspec.contract.compiled import compiled_subject
from archspec.contract.report import ContractReport, Finding
from archspec.contract.stepped import Stepped, decoded, stepped
from archspec.engines.step_cache import StepCache
from archspec.engines.steps import BuiltSteps
from archspec.model.checked import Checked
from archspec.model.exposing import with_inner
from archspec.model.ports import Interface, sizes_of
from archspec.model.runner import Array, Arrays, FunctionRunner, Runner
from archspec.oracle.interpreter import interpret
from archspec.record import record
from archspec.spec.claims import Claims


def verify_steps(
    bundle: Bundle, claims: Claims, weights: Mapping[str, Array], few: bool, seed: int
) -> Iterator[ContractReport]:
    """Yield a report on each artifact of the cached step.

    The full forwards are the interpreter's if `few` (the weights are few enough for float64), else those of the module
    that the spec compiles to.
    """
    entries = [one for program in bundle.manifest.programs if program.part == "step" for one in program.artifacts]
    if not entries:
        return
    assert claims.spec is not None
    checked = accepted(claims.spec, unproved=True)
    full = _interpreter(checked, weights) if few else _module(checked, weights)
    for entry in entries:
        name = f"{bundle.path.name}: {step_of(entry.target)}, {entry.dtype}"
        closed = obstacle(entry)
        if closed is None:
            tolerance = TOLERANCE[entry.dtype]
            finding = _finding(bundle, checked, claims, entry.target, tolerance, full, seed)
        else:
            finding = Finding(claim="opens on this host", status="not measured", detail=closed)
        yield ContractReport(subject=name, claims=claims.name, findings=(finding,))


def _finding(
    bundle: Bundle, checked: Checked, claims: Claims, target: str, tolerance: float, full: Runner, seed: int
) -> Finding:
    """Return whether the step of a target equals the full forward."""
    opened, known = opened_steps(bundle, checked, target), decoded(claims)
    # A step was built, so that there is one; with a target named, what bars it is raised.
    assert isinstance(opened, OpenedSteps)
    assert known is not None
    judged = Stepped(
        steps=ContractSteps(steps=opened.steps, interface=bundle.interface), full=full, tolerance=tolerance
    )
    return stepped(known, [judged], seed)


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
        own = {name: fed[name] for name in self.steps.programs.fed}
        return self.steps.run(own, state, counts), state

    def restart(self, state: StepCache, rows: Sequence[int], given: Arrays) -> StepCache | None:
        """Return the same cache in which some rows have had no positions; None where rows have no axis of their own."""
        if not self.steps.selects:
            return None
        state.past[list(rows)] = 0
        fresh = self.start(len(state.past), state.capacity, given)
        for name, axis in self.steps.programs.axes.items():
            for mine, theirs in ((state.once, fresh.once), (state.held, fresh.held)):
                if name in mine and axis is not None:
                    place = (slice(None),) * axis + (list(rows),)
                    mine[name][place] = theirs[name][place]
        return state


def _interpreter(checked: Checked, weights: Mapping[str, Array]) -> Runner:
    """Return full forwards by the interpreter, in float64."""

    def run(arrays: Arrays) -> dict[str, Array]:
        return interpret(checked.spec.graph, arrays, weights)

    return FunctionRunner(function=run)


def _module(checked: Checked, weights: Mapping[str, Array]) -> Runner:
    """Return full forwards by the compiled module: code in a bundle's file is never executed."""
    subject, _ = compiled_subject(checked, with_inner(checked.spec), weights)
    return subject.runner
