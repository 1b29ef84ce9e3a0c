"""Verify the folder of a bundle for ONNX Runtime GenAI: its steps against full forwards of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archspec.bundle.bundle import Bundle
from archspec.bundle.genai_trials import opened
from archspec.bundle.manifest import ArtifactEntry
from archspec.bundle.report import TOLERANCE
from archspec.checking.checks import accepted
from archspec.contract.compiled import compiled_subject
from archspec.contract.report import ContractReport, Finding
from archspec.contract.sequences import Decoded
from archspec.contract.stepped import Glance, Stepped, decoded, stepped
from archspec.engines.genai.form import genai_form
from archspec.engines.genai.steps import GenaiSteps
from archspec.model.exposing import with_inner
from archspec.model.runner import Array, Arrays, FunctionRunner, Runner
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec
from archspec.spec.claims import Claims

CLAIM = "prompts padded on the left give the full forward of each row"


def verify_genai(
    bundle: Bundle, entry: ArtifactEntry, claims: Claims, weights: Mapping[str, Array], few: bool, seed: int
) -> ContractReport:
    """Return the report on the folder `genai`.

    The full forwards are the interpreter's if `few` (the weights are few enough for float64), else those of the module
    that the spec compiles to.
    """
    spec, known = claims.spec, decoded(claims)
    assert spec is not None
    assert known is not None
    steps = opened(bundle.path / entry.files[0], spec, genai_form(spec), entry.dtype)
    full = _interpreter(spec, weights) if few else _module(spec, weights)
    judged = Stepped(steps=steps, full=full, tolerance=TOLERANCE[entry.dtype])
    findings = (
        stepped(known, [judged], seed),
        _padded(replace(steps, side="left"), full, known, judged.tolerance, seed),
    )
    name = f"{bundle.path.name}: {entry.target}, {entry.dtype}"
    return ContractReport(subject=name, claims=claims.name, findings=findings)


def _padded(steps: GenaiSteps, full: Runner, known: Decoded, tolerance: float, seed: int) -> Finding:
    """Return the finding on chunks that are filled up at the left, as others than this runtime do."""
    glance = Glance(known=known, seed=seed)
    found = glance.outcome(steps, glance.wanted(full), tolerance)
    largest = found.apart.share()
    if largest > tolerance:
        detail = f"{found.witness}, differs by {largest:.2g}"
        return Finding(claim=CLAIM, status="violated", detail=detail, trials=found.trials, largest=largest)
    return Finding(claim=CLAIM, status="holds", trials=found.trials, largest=largest)


def _interpreter(spec: Spec, weights: Mapping[str, Array]) -> Runner:
    """Return full forwards by the interpreter, in float64."""

    def run(arrays: Arrays) -> dict[str, Array]:
        return interpret(spec.graph, arrays, weights)

    return FunctionRunner(function=run)


def _module(spec: Spec, weights: Mapping[str, Array]) -> Runner:
    """Return full forwards by the compiled module: code in a bundle's file is never executed."""
    subject, _ = compiled_subject(accepted(spec, unproved=True), with_inner(spec), weights)
    return subject.runner
