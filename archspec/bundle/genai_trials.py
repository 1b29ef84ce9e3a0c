"""The build steps of the layout `genai`: export the step of a decoder, and compare it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.bundle.report import ParityTrial
from archspec.bundle.step_parity import StepContest
from archspec.checking.checks import accepted
from archspec.contract.steps import Steps
from archspec.engines.engine import Target
from archspec.engines.genai.export import export_genai
from archspec.engines.genai.form import GenaiForm, genai_form
from archspec.engines.genai.steps import GenaiSteps
from archspec.engines.program import Program
from archspec.engines.registry import engine_of
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.spec import Spec, load


def export(job: dict[str, Any]) -> None:
    """Write the step: the job has its `source`, the `program` of the full forward, `spec`, `dtype` and `file`."""
    program, form = Program.from_json(job["program"]), genai_form(load(Path(job["spec"])))
    step = replace(program, source=Path(job["source"]), interface=form.interface, profiles=(), partial=True)
    export_genai(step, form, job["dtype"], Path(job["file"]))


def trials(job: dict[str, Any]) -> list[ParityTrial | str]:
    """Return the comparison of the file with full forwards, or a text where it costs too much."""
    # Whether unproved rules are accepted was decided before the build began.
    checked = accepted(Path(job["spec"]), unproved=True)
    return list(genai_contest(checked, Program.from_json(job["program"]), job["dtype"], Path(job["file"])).trials())


def genai_contest(checked: Checked, program: Program, dtype: DTypeName, file: Path) -> StepContest:
    """Return the file beside the full forward of `program`, with shorter chunks filled up at either side."""
    form = genai_form(checked.spec)

    def ways() -> Mapping[str, Steps]:
        steps = opened(file, checked.spec, form, dtype)
        return {", padded right": steps, ", padded left": replace(steps, side="left")}

    return StepContest(artifact="genai", dtype=dtype, opened=ways, program=program, checked=checked)


def opened(file: Path, spec: Spec, form: GenaiForm, dtype: DTypeName) -> GenaiSteps:
    """Open the file in ONNX Runtime. Raises SpecError E610."""
    assert spec.decode is not None
    runner = engine_of(Target(engine="onnx")).open(file, form.interface)
    return GenaiSteps(runner=runner, form=form, dtype=dtype, fed=spec.decode.input)
