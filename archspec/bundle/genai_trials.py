"""The build steps of the layout `genai`: export the step of a decoder, and compare it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.analyses.cost import cost
from archspec.bundle.genai_parity import PromptContest, step_contests
from archspec.bundle.parity import MOST_EXACT_FLOPS, MOST_FLOPS, MOST_PARAMETERS, SEED, run_module
from archspec.bundle.report import OutputDifference, ParityTrial, Reference
from archspec.bundle.stored import StoredArrays
from archspec.engines.engine import Target
from archspec.engines.genai.export import export_genai
from archspec.engines.genai.form import GenaiForm, genai_form
from archspec.engines.genai.steps import GenaiSteps
from archspec.engines.module import load_module
from archspec.engines.program import Program
from archspec.engines.registry import engine_of
from archspec.model.ports import DTypeName
from archspec.oracle.interpreter import interpret
from archspec.record import record
from archspec.spec import Spec, load


def export(job: dict[str, Any]) -> None:
    """Write the step: the job has its `source`, the `program` of the full forward, `spec`, `dtype` and `file`."""
    program, form = Program.from_json(job["program"]), genai_form(load(Path(job["spec"])))
    step = replace(program, source=Path(job["source"]), interface=form.interface, profiles=(), partial=True)
    export_genai(step, form, job["dtype"], Path(job["file"]))


def trials(job: dict[str, Any]) -> list[ParityTrial | str]:
    """Return the comparisons of the file with full forwards, and texts about those that are too expensive."""
    spec = load(Path(job["spec"]))
    form, program = genai_form(spec), Program.from_json(job["program"])
    return list(StepTrials(spec=spec, form=form, program=program, dtype=job["dtype"]).run(Path(job["file"])))


def opened(file: Path, spec: Spec, form: GenaiForm, dtype: DTypeName) -> GenaiSteps:
    """Open the file in ONNX Runtime. Raises SpecError E610."""
    assert spec.decode is not None
    runner = engine_of(Target(engine="onnx")).open(file, form.interface)
    return GenaiSteps(runner=runner, form=form, dtype=dtype, fed=spec.decode.input)


@record(eq=False)
class StepTrials:
    """The step of a decoder, and the program of its full forward."""

    spec: Spec
    form: GenaiForm
    program: Program
    dtype: DTypeName

    def run(self, file: Path) -> Iterator[ParityTrial | str]:
        """Yield every affordable comparison: with the module at all lengths, with the interpreter at the short one."""
        contests = list(step_contests(self.spec))
        able = [one for one in contests if self._flops(one) <= MOST_FLOPS]
        yield from (
            f"genai at {self._sizes(one)}: too many FLOPs for this check" for one in contests if one not in able
        )
        # The module is computed first and released, so that it and the artifact never share memory.
        expected = self._by_module(able)
        steps = opened(file, self.spec, self.form, self.dtype)
        for one, wanted in zip(able, expected, strict=True):
            yield self._trial(one, "module", one.differences(steps, wanted))
        exact = contests[0]
        if self._flops(exact) > MOST_EXACT_FLOPS or cost(self.spec.graph).parameters > MOST_PARAMETERS:
            yield "genai against the interpreter: the model is too large for float64 on a CPU"
            return
        parameters = StoredArrays(self.program.weights)
        wanted = exact.expected(lambda ids: self._output(interpret(self.spec.graph, self._fed(ids), parameters)))
        yield self._trial(exact, "interpreter", exact.differences(steps, wanted))

    def _by_module(self, contests: Sequence[PromptContest]) -> list[Any]:
        """Return the logits of full forwards of the emitted module in float32."""
        module = load_module(self.program, "float32")
        return [
            one.expected(lambda ids: self._output(run_module(module, self.program, self._fed(ids)))) for one in contests
        ]

    def _fed(self, ids: Any) -> dict[str, Any]:
        assert self.spec.decode is not None
        return {self.spec.decode.input: ids}

    def _output(self, found: Any) -> Any:
        assert self.spec.decode is not None
        return found[self.spec.decode.output]

    def _flops(self, contest: PromptContest) -> float:
        return cost(self.spec.graph).flops.value(self._sizes(contest))

    def _sizes(self, contest: PromptContest) -> dict[str, int]:
        """Return the dims of the spec at which the full forward of the longest row and its like runs."""
        assert self.spec.decode is not None
        (rows,), (length,) = (size.symbols() for size in self.spec.inputs[self.spec.decode.input].type.shape)
        own = {name: symbol.typical for name, symbol in self.spec.dims.items()}
        return {**own, rows.name: len(contest.rows), length.name: max(map(len, contest.rows))}

    def _trial(self, contest: PromptContest, reference: Reference, found: list[OutputDifference]) -> ParityTrial:
        return ParityTrial(
            artifact="genai",
            dtype=self.dtype,
            reference=reference,
            sizes=self._sizes(contest),
            seed=SEED,
            differences=found,
        )
