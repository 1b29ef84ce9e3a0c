"""The weights of a bundle as integers: written as floats first, and rounded by the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal

from archspec.bundle.bundled_spec import bundled_spec, write_plan
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
from archspec.passes.quantise import storable
from archspec.quantising.activations import Grids
from archspec.quantising.checking import check_stored
from archspec.quantising.given import GivenIntegers, read_integers
from archspec.quantising.plan import Plan, written
from archspec.quantising.sizing import stored_bytes
from archspec.quantising.spec import quantised
from archspec.record import record
from archspec.spec import Spec
from archspec.weights.bundled import PLAN
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
        kv_cache: `int8` for what the cached step of a decoder keeps.
        calibrate: an .npz file with rows of inputs, on which the scales of activations and of the cache are measured.
        evaluate: an .npz file with rows of inputs, and `labels` where they are known, on which the loss is measured.
        at_most: limits of that loss, such as `kl=0.02`; a build that loses more is refused.
        round_inputs: let runtimes that multiply integers round what they multiply them with to eight bits, which is
            fast; what that costs is measured, too, on the artifacts.
        size: the most bytes that all weights may take. The formats are then the fewest bits, and weights that cost much
            get more as far as they fit, all but those of a `NODE=FORMAT`.
    """

    formats: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    kv_cache: Literal["int8"] | None = None
    calibrate: Path | None = None
    evaluate: Path | None = None
    at_most: tuple[str, ...] = ()
    round_inputs: bool = False
    size: int | None = None

    @property
    def unused(self) -> str:
        """The first option that says nothing where nothing is rounded; empty if there is none."""
        given = {
            "keep": self.keep,
            "round-inputs": self.round_inputs,
            "size": self.size is not None,
            "activations": self.activations,
            "calibrate": self.calibrate,
            "evaluate": self.evaluate,
            "at-most": self.at_most,
        }
        return next((f"`--{name}`" for name, value in given.items() if value), "")

    @property
    def asks(self) -> bool:
        """Whether anything is to be rounded."""
        return bool(self.formats) or self.kv_cache is not None

    @property
    def file(self) -> Path | None:
        """The file of a plan, if it is given in place of formats."""
        alone = len(self.formats) == 1 and self.formats[0].endswith(".json") and not self.keep
        return Path(self.formats[0]) if alone else None


@record(eq=False)
class Quantising:
    """What is rounded: the spec with floats as it was accepted, the plan of its weights and the grids of activations.

    `rounds_kept` says that what the cached step keeps is rounded as well. Scales of what is rounded are measured on
    `inputs`. `given` is what the weights are in their file: integers that the plan holds exactly are not rounded. What
    rounding costs is measured on `data`, if given, and may be `at_most` so much, by measure. With `round_inputs`,
    artifacts that can round what they multiply are measured so, too. With a `size` in bytes, the parameters `free` may
    be stored in more bits than the plan says. `file` is that of the plan, if it was read from one.

    `entry` and `stages` are those of the floats, once these are written.
    """

    floats: Checked
    plan: Plan
    grids: Grids = field(default_factory=dict)
    rounds_kept: bool = False
    given: Mapping[str, GivenIntegers] = field(default_factory=dict)
    data: Path | None = None
    inputs: Path | None = None
    at_most: Mapping[str, float] = field(default_factory=dict)
    round_inputs: bool = False
    size: int | None = None
    free: tuple[str, ...] = ()
    file: Path | None = None
    entry: WeightsEntry | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def unrounded(self) -> Plan:
        """The part of the plan that holds the integers of the file."""
        return {path: one for path, one in self.plan.items() if path in self.given and self.given[path].storage == one}

    @property
    def rounds(self) -> bool:
        """Whether values are rounded, at scales that are measured."""
        return bool(self.grids) or self.rounds_kept

    def rounded(self, plan: Plan) -> Spec:
        """The spec that rounds, with its parameters stored by a plan."""
        return quantised(self.floats.spec, plan, self.grids, rounds_kept=self.rounds_kept)

    def program(self, program: Program) -> Program:
        """The program with floats for the one of a bundle."""
        return replace(program, source=FLOATS / MODULE, weights=FLOATS / WEIGHTS)

    def begin(
        self, folder: Path, program: Program, weights: Weights, layout: str | None, seed: int, progress: Progress
    ) -> tuple[WeightsEntry, tuple[Stage, ...]]:
        """Write the plan, the weights as floats and those of the bundle, in a folder that has its spec.

        `program` is that of the bundle; the other arguments and errors are those of `put_weights`.
        """
        (folder / PLAN).write_text(write_plan(self.plan, self.grids, rounds_kept=self.rounds_kept), encoding="utf-8")
        integers = self.integers(weights)
        if integers is not None:
            _save(folder / program.weights, integers)
            return WeightsEntry(path=WEIGHTS, origin="given", layout=layout), ()
        own, floats = self.with_floats(folder, program, weights, layout, seed, progress), self.program(program)
        assert own.entry is not None
        if self.unrounded and isinstance(weights, (str, Path)):
            read = read_integers(self.floats.spec, weights, layout, self.unrounded)
            kept = {f"{name}{end}": one for name, both in read for end, one in zip(("", SCALE), both, strict=True)}
            _save(folder / FLOATS / _INTEGERS, kept)
        job = {
            "spec": SPEC,
            "floats": str(floats.weights),
            "weights": str(program.weights),
            "calibration": self._calibration(folder, program),
        }
        worker = "archspec.bundle.worker"
        step = run_step(worker, "quantise", job, folder=folder, stage="quantise weights", progress=progress)
        return own.entry.model_copy(update={"path": WEIGHTS}), (*own.stages, step.stage)

    def with_floats(
        self, folder: Path, program: Program, weights: Weights, layout: str | None, seed: int, progress: Progress
    ) -> Quantising:
        """The same, once the module and the weights are written as floats; see `begin` for the arguments."""
        if self.entry is not None:
            return self
        (folder / FLOATS).mkdir()
        floats = self.program(program)
        (folder / floats.source).write_text(emit(self.floats), encoding="utf-8")
        entry, stages = put_weights(folder, self.floats, floats, weights, layout, seed, progress)
        return replace(self, entry=entry, stages=stages)

    def _calibration(self, folder: Path, program: Program) -> dict[str, Any] | None:
        """Write the module that rounds with weights as floats; returns what measures its scales, as plain data."""
        if not self.rounds:
            return None
        if self.inputs is None:
            message = "values are rounded without inputs to calibrate on"
            fail("E632", message, None, help="give `--calibrate inputs.npz`, or the weights of the bundle of the plan")
        # Whether rules hold is judged of the spec that is built.
        rounding = accepted(self.rounded({}), unproved=True)
        (folder / ROUNDING).write_text(emit(rounding), encoding="utf-8")
        rounding_program = replace(self.program(program), source=ROUNDING)
        return {"program": rounding_program.to_json(), "data": str(self.inputs.resolve()), "called": self.inputs.name}

    def integers(self, weights: Weights) -> Mapping[str, Any] | None:
        """Weights that are stored by the plan already, as those of a bundle are; None for others."""
        if not isinstance(weights, (str, Path)):
            return None
        with read_weights(weights) as file:
            if file.shapes != parameter_shapes(self.rounded(self.plan).graph):
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
            found = dict(file.items())
        check_stored(self.rounded(self.plan).graph, found, weights)
        return found

    def measure(self, folder: Path, program: Program, progress: Progress) -> tuple[QuantisedEntry, tuple[Stage, ...]]:
        """Measure what is lost, once the weights are written.

        Returns the entry of the manifest. Raises SpecError E633 for data that cannot be used, E634 for too much loss.
        """
        entry = QuantisedEntry(
            formats=written(self.plan),
            floats=[path for path in storable(self.floats.spec.graph) if path not in self.plan],
            activations=dict(self.grids),
            kv_cache="int8" if self.rounds_kept else None,
            calibration=None if self.inputs is None else CalibrationEntry.of(self.inputs),
            bytes=(folder / WEIGHTS).stat().st_size,
            packed_bytes=stored_bytes(self.rounded(self.plan).graph),
            float_bytes=self.floats.cost.weight_bytes,
            unrounded={path: list(self.given[path].formats) for path in self.unrounded},
            at_most=dict(self.at_most),
            rounded=[one.told(path, self.plan) for path, one in self.given.items() if path not in self.unrounded],
        )
        stages: tuple[Stage, ...] = ()
        if self.data is not None:
            loss, stage = self.loss(folder, self.job(self.data, program), "measure the loss", progress)
            entry, stages = entry.model_copy(update={"loss": loss}), (stage,)
        return entry, stages

    def job(self, data: Path, program: Program) -> dict[str, object]:
        """What is evaluated, and how much it may lose."""
        return {
            "spec": SPEC,
            "floats": self.program(program).to_json(),
            "rounding": replace(self.program(program), source=ROUNDING).to_json() if self.rounds else None,
            "program": program.to_json(),
            "data": str(data.resolve()),
            "called": data.name,
            "at_most": dict(self.at_most),
            "remedy": self._remedy,
        }

    @property
    def _remedy(self) -> str:
        """What to do if the weights lose too much; empty where a node can be kept as floats."""
        if self.size is not None:
            return "let the weights take more: give a larger `--size`"
        return f"give formats in place of {self.file.name}, with more bits for the worst" if self.file else ""

    def loss(self, folder: Path, job: Mapping[str, object], stage: str, progress: Progress) -> tuple[LossEntry, Stage]:
        """Measure a loss in a process of its own; `job` is one of `job`, with more."""
        made = run_step("archspec.bundle.worker", "evaluate", job, folder=folder, stage=stage, progress=progress)
        return LossEntry.model_validate(made.result["loss"]), made.stage


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
