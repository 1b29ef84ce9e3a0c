"""The weights of a bundle as integers: written as floats first, and rounded by the plan."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from archspec.bundle.bundled_spec import PLAN, bundled_spec, write_plan
from archspec.bundle.calibrating import measured_scales
from archspec.bundle.manifest import CalibrationEntry, LossEntry, QuantisedEntry, WeightsEntry
from archspec.bundle.sources import MODULE, SPEC, WEIGHTS
from archspec.bundle.weights import Weights, put_weights
from archspec.checking.checks import accepted
from archspec.diagnostics import fail
from archspec.engines.process import Progress, Stage, run_step
from archspec.engines.program import Program
from archspec.ir.storage import SCALE
from archspec.layouts.parameters import parameter_shapes
from archspec.lower.emission import emit
from archspec.model.checked import Checked
from archspec.quantising.activations import Grids
from archspec.quantising.given import GivenIntegers, read_integers
from archspec.quantising.plan import Plan, written
from archspec.quantising.spec import quantised
from archspec.record import record
from archspec.weights.files import read_weights

FLOATS = Path(".floats")
"""The folder of the module and the weights before they are rounded, which are no part of a bundle."""
ROUNDING = FLOATS / "rounding.py"
"""The module that rounds what products read, with weights as floats, which is no part of a bundle either."""
_INTEGERS = "integers.safetensors"
"""A file in it, with the integers and scales that are not rounded."""


@record
class Quantisation:
    """What is asked for of quantised weights.

    Fields:
        formats: `int8`, `int4:32`, `stored` for the integers of a GGUF file, and `NODE=FORMAT` for the weights of one
            node; or a bundle's `quantised.json`. Given weights that are stored so already are not rounded again.
        keep: nodes whose weights stay floats, and that read floats.
        activations: `int8` or `fp8` for what products read, and `NODE=int8` for those of one node.
        calibrate: an .npz file with rows of inputs, on which the scales of activations are measured.
        evaluate: an .npz file with rows of inputs, and `labels` where they are known, on which the loss is measured.
        at_most: limits of that loss, such as `kl=0.02`; a build that loses more is refused.
    """

    formats: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    calibrate: Path | None = None
    evaluate: Path | None = None
    at_most: tuple[str, ...] = ()

    @property
    def unused(self) -> str:
        """The first option that says nothing without a format."""
        given = {
            "keep": self.keep,
            "activations": self.activations,
            "calibrate": self.calibrate,
            "evaluate": self.evaluate,
            "at-most": self.at_most,
        }
        return next(f"`--{name}`" for name, value in given.items() if value)

    @property
    def file(self) -> Path | None:
        """The file of a plan, if it is given in place of formats."""
        alone = len(self.formats) == 1 and self.formats[0].endswith(".json") and not self.keep
        return Path(self.formats[0]) if alone else None


@record(eq=False)
class Quantising:
    """What is rounded: the spec with floats as it was accepted, the plan of its weights and the grids of activations.

    The scales of these are measured on `inputs`. `given` is what the weights are in their file: integers that the plan
    holds exactly are not rounded. What rounding costs is measured on `data`, if given, and may be `at_most` so much, by
    measure.
    """

    floats: Checked
    plan: Plan
    grids: Grids = field(default_factory=dict)
    given: Mapping[str, GivenIntegers] = field(default_factory=dict)
    data: Path | None = None
    inputs: Path | None = None
    at_most: Mapping[str, float] = field(default_factory=dict)

    @property
    def unrounded(self) -> Plan:
        """The part of the plan that holds the integers of the file."""
        return {path: one for path, one in self.plan.items() if path in self.given and self.given[path].storage == one}

    def program(self, program: Program) -> Program:
        """The program with floats for the one of a bundle."""
        return replace(program, source=FLOATS / MODULE, weights=FLOATS / WEIGHTS)

    def begin(
        self, folder: Path, program: Program, weights: Weights, layout: str | None, seed: int, progress: Progress
    ) -> tuple[WeightsEntry, tuple[Stage, ...]]:
        """Write the plan, the weights as floats and those of the bundle, in a folder that has its spec.

        `program` is that of the bundle; the other arguments and errors are those of `put_weights`.
        """
        (folder / PLAN).write_text(write_plan(self.plan, self.grids), encoding="utf-8")
        integers = self.integers(weights)
        if integers is not None:
            _save(folder / program.weights, integers)
            return WeightsEntry(path=WEIGHTS, origin="given", layout=layout), ()
        (folder / FLOATS).mkdir()
        floats = self.program(program)
        (folder / floats.source).write_text(emit(self.floats), encoding="utf-8")
        entry, stages = put_weights(folder, self.floats, floats, weights, layout, seed, progress)
        if self.unrounded and isinstance(weights, (str, Path)):
            read = read_integers(self.floats.spec, weights, layout, self.unrounded)
            made = {f"{name}{end}": one for name, both in read for end, one in zip(("", SCALE), both, strict=True)}
            _save(folder / FLOATS / _INTEGERS, made)
        job = {
            "spec": SPEC,
            "floats": str(floats.weights),
            "weights": str(program.weights),
            "calibration": self._calibration(folder, program),
        }
        worker = "archspec.bundle.worker"
        step = run_step(worker, "quantise", job, folder=folder, stage="quantise weights", progress=progress)
        return entry.model_copy(update={"path": WEIGHTS}), (*stages, step.stage)

    def _calibration(self, folder: Path, program: Program) -> dict[str, Any] | None:
        """Write the module that rounds with weights as floats; returns what measures its scales, as plain data."""
        if not self.grids:
            return None
        if self.inputs is None:
            message = "activations are rounded without inputs to calibrate on"
            fail("E632", message, None, help="give `--calibrate inputs.npz`, or the weights of the bundle of the plan")
        # Whether rules hold is judged of the spec that is built.
        rounding = accepted(quantised(self.floats.spec, {}, self.grids), unproved=True)
        (folder / ROUNDING).write_text(emit(rounding), encoding="utf-8")
        rounding_program = replace(self.program(program), source=ROUNDING)
        return {"program": rounding_program.to_json(), "data": str(self.inputs.resolve()), "called": self.inputs.name}

    def integers(self, weights: Weights) -> Mapping[str, Any] | None:
        """Weights that are stored by the plan already, as those of a bundle are; None for others."""
        if not isinstance(weights, (str, Path)):
            return None
        with read_weights(weights) as file:
            if file.shapes != parameter_shapes(quantised(self.floats.spec, self.plan, self.grids).graph):
                return None
            if self.data is not None:
                message = "the loss of weights that are integers already cannot be measured"
                fail("E632", message, None, help="give the weights that they were rounded from")
            if self.inputs is not None:
                message = "the weights have scales of activations already"
                fail(
                    "E632",
                    message,
                    None,
                    help="leave `--calibrate` out, or give the weights that they were rounded from",
                )
            return dict(file.items())

    def finish(self, folder: Path, program: Program, progress: Progress) -> tuple[QuantisedEntry, tuple[Stage, ...]]:
        """Measure what is lost, once the weights are written, and remove what is no part of the bundle.

        Returns the entry of the manifest. Raises SpecError E633 for data that cannot be used, E634 for too much loss.
        """
        entry = QuantisedEntry(
            formats=written(self.plan),
            activations=dict(self.grids),
            calibration=None if self.inputs is None else CalibrationEntry.of(self.inputs),
            bytes=(folder / WEIGHTS).stat().st_size,
            float_bytes=self.floats.cost.weight_bytes,
            unrounded={path: list(self.given[path].formats) for path in self.unrounded},
            rounded=[one.told(path, self.plan) for path, one in self.given.items() if path not in self.unrounded],
        )
        stages: tuple[Stage, ...] = ()
        if self.data is not None:
            job = {
                "spec": SPEC,
                "floats": self.program(program).to_json(),
                "rounding": replace(self.program(program), source=ROUNDING).to_json() if self.grids else None,
                "program": program.to_json(),
                "data": str(self.data.resolve()),
                "called": self.data.name,
                "at_most": dict(self.at_most),
            }
            worker = "archspec.bundle.worker"
            made = run_step(worker, "evaluate", job, folder=folder, stage="measure the loss", progress=progress)
            entry = entry.model_copy(update={"loss": LossEntry.model_validate(made.result["loss"])})
            stages = (made.stage,)
        shutil.rmtree(folder / FLOATS, ignore_errors=True)
        return entry, stages


def quantise_weights(spec: Path, floats: Path, weights: Path, calibration: Mapping[str, Any] | None = None) -> None:
    """Round the weights of a file by the plan of a bundle's spec into another file.

    Integers and scales that lie beside the weights are taken as they are; those of activations are measured on inputs,
    as `calibration` says. Raises SpecError E633 for inputs that cannot be used.
    """
    from safetensors.torch import load_file

    from archspec.quantising.tensors import stored_tensors

    given: dict[str, Any] = load_file(floats)
    if calibration is not None:
        program = Program.from_json(calibration["program"])
        given |= measured_scales(program, Path(calibration["data"]), calibration["called"])
    beside = floats.with_name(_INTEGERS)
    integers: Mapping[str, Any] = load_file(beside) if beside.exists() else {}
    _save(weights, dict(stored_tensors(bundled_spec(spec).graph, given, integers=integers)))


def _save(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write tensors such that the same ones give the same file."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in sorted(tensors.items())}, path)
