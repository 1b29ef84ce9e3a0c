"""Verify the built step of a bundle's decoder: in chunks of every kind, against full forwards of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from archspec.bundle.bundle import Bundle
from archspec.bundle.choice import obstacle, unopened
from archspec.bundle.integers import integers_finding
from archspec.bundle.report import TOLERANCE, step_of
from archspec.bundle.step_artifacts import OpenedSteps, opened_steps
from archspec.bundle.step_parity import ContractSteps, dims_within
from archspec.checking.checks import accepted
from archspec.contract.compiled import compiled_subject
from archspec.contract.report import ContractReport, Finding
from archspec.contract.sequences import Decoded
from archspec.contract.stepped import Stepped, decoded, stepped
from archspec.model.checked import Checked
from archspec.model.exposing import with_inner
from archspec.model.runner import Array, Arrays, FunctionRunner, Runner
from archspec.oracle.borders import nudged
from archspec.oracle.interpreter import interpret
from archspec.passes.round_operands import rounds
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
    off = FunctionRunner(function=nudged(checked.spec.graph, weights)) if few and rounds(checked.spec.graph) else None
    for entry in entries:
        name = f"{bundle.path.name}: {step_of(entry.target)}, {entry.dtype}"
        closed = obstacle(entry)
        if closed is None:
            tolerance = TOLERANCE[entry.dtype]
            finding = _finding(bundle, checked, claims, entry.target, tolerance, (full, off), seed)
            parts = [part for one in bundle.manifest.programs for part in one.artifacts if part.target == entry.target]
            findings = (*integers_finding(bundle, parts, checked.spec.graph), finding)
        else:
            findings = (Finding(claim="opens on this host", status="not measured", detail=unopened(entry, closed)),)
        yield ContractReport(subject=name, claims=claims.name, findings=findings)


def _finding(
    bundle: Bundle,
    checked: Checked,
    claims: Claims,
    target: str,
    tolerance: float,
    full: tuple[Runner, Runner | None],
    seed: int,
) -> Finding:
    """Return whether the step of a target equals the full forward, given also as far off as rounding leaves open."""
    opened, known = opened_steps(bundle, checked, target), decoded(claims)
    # A step was built, so that there is one; with a target named, what bars it is raised.
    assert isinstance(opened, OpenedSteps)
    assert known is not None
    steps = ContractSteps(steps=opened.steps, interface=bundle.interface)
    judged = Stepped(steps=steps, full=full[0], tolerance=tolerance, nudged=full[1])
    return stepped(_within(bundle, known, target), [judged], seed)


def _within(bundle: Bundle, known: Decoded, target: str) -> Decoded:
    """Return a decoder within the sizes that an artifact was built for."""
    whole = next(entry for entry in bundle.manifest.artifacts if entry.target == target)
    profiles = [{name: (low, typical, most) for name, (low, typical, most) in one.items()} for one in whole.profiles]
    dims = dims_within(bundle.interface, profiles, known.length)
    return replace(known, claims=replace(known.claims, dims={**known.claims.dims, **(dims or {})}))


def _interpreter(checked: Checked, weights: Mapping[str, Array]) -> Runner:
    """Return full forwards by the interpreter, in float64."""

    def run(arrays: Arrays) -> dict[str, Array]:
        return interpret(checked.spec.graph, arrays, weights)

    return FunctionRunner(function=run)


def _module(checked: Checked, weights: Mapping[str, Array]) -> Runner:
    """Return full forwards by the compiled module: code in a bundle's file is never executed."""
    subject, _ = compiled_subject(checked, with_inner(checked.spec), weights)
    return subject.runner
