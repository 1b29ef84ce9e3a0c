"""Verify the folder of a bundle for ONNX Runtime GenAI: its steps against full forwards of the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archspec.bundle.bundle import Bundle
from archspec.bundle.genai_parity import StepContest, step_contests
from archspec.bundle.genai_trials import opened
from archspec.bundle.manifest import ArtifactEntry
from archspec.bundle.report import TOLERANCE, OutputDifference
from archspec.checking.checks import accepted
from archspec.contract.compiled import compiled_subject
from archspec.contract.report import ContractReport, Finding
from archspec.engines.genai.form import genai_form
from archspec.model.exposing import with_inner
from archspec.model.runner import Array
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec
from archspec.spec.claims import Claims

CLAIM = "each step equals the full forward of each row"


def verify_genai(
    bundle: Bundle, entry: ArtifactEntry, claims: Claims, weights: Mapping[str, Array], few: bool, seed: int
) -> ContractReport:
    """Return the report on the folder `genai`.

    The full forwards are the interpreter's if `few` (the weights are few enough for float64), else those of the module
    that the spec compiles to.
    """
    spec = claims.spec
    assert spec is not None
    form = genai_form(spec)
    full = _interpreter(spec, weights) if few else _module(spec, weights)
    contests = [(one, one.expected(full)) for one in step_contests(spec, form, entry.dtype, seed)][: 1 if few else None]
    runner = opened(bundle.path / entry.files[0], form)
    found = [(one, difference) for one, wanted in contests for difference in one.differences(runner, wanted)]
    name = f"{bundle.path.name}: {entry.target}, {entry.dtype}"
    return ContractReport(subject=name, claims=claims.name, findings=(_finding(entry, found),))


def _finding(entry: ArtifactEntry, found: list[tuple[StepContest, OutputDifference]]) -> Finding:
    """Return the finding on all comparisons."""
    largest = max(difference.largest for _, difference in found)
    wrong = [(one, difference) for one, difference in found if not difference.allowed(entry.dtype)]
    if not wrong:
        return Finding(claim=CLAIM, status="holds", trials=len(found), largest=largest)
    one, difference = wrong[0]
    lengths = ", ".join(str(len(row)) for row in one.rows)
    detail = f"{difference.output}: differs by {difference.largest:.3g} for rows of {lengths} ids"
    detail += f", more than {TOLERANCE[entry.dtype]:g} of the largest value"
    return Finding(claim=CLAIM, status="violated", detail=detail, trials=len(found), largest=largest)


def _interpreter(spec: Spec, weights: Mapping[str, Array]) -> Callable[[Any], Any]:
    """Return full forwards by the interpreter, in float64."""
    assert spec.decode is not None
    fed, output = spec.decode.input, spec.decode.output
    return lambda ids: interpret(spec.graph, {fed: ids}, weights)[output]


def _module(spec: Spec, weights: Mapping[str, Array]) -> Callable[[Any], Any]:
    """Return full forwards by the compiled module: code in a bundle's file is never executed."""
    assert spec.decode is not None
    fed, output = spec.decode.input, spec.decode.output
    subject, _ = compiled_subject(accepted(spec, unproved=True), with_inner(spec), weights)
    return lambda ids: subject.runner.run({fed: ids})[output]
