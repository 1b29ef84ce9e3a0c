"""The weights of a bundle as integers: written as floats first, and rounded by the plan."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from archspec.bundle.bundled_spec import PLAN, bundled_spec, write_plan
from archspec.bundle.manifest import LossEntry, QuantisedEntry, WeightsEntry
from archspec.bundle.sources import MODULE, SPEC, WEIGHTS
from archspec.bundle.weights import Weights, put_weights
from archspec.diagnostics import fail
from archspec.engines.process import Progress, Stage, run_step
from archspec.engines.program import Program
from archspec.layouts.parameters import parameter_shapes
from archspec.lower.emission import emit
from archspec.model.checked import Checked
from archspec.quantising.plan import Plan, written
from archspec.quantising.spec import quantised
from archspec.record import record
from archspec.weights.files import read_weights

FLOATS = Path(".floats")
"""The folder of the module and the weights before they are rounded, which are no part of a bundle."""


@record
class Quantisation:
    """What is asked for of quantised weights.

    Fields:
        formats: `int8`, `int4:32`, and `NODE=FORMAT` for the weights of one node; or a bundle's `quantised.json`. Given
            weights that are stored so already are not rounded again.
        keep: nodes whose weights stay floats.
        evaluate: an .npz file with rows of inputs, and `labels` where they are known, on which the loss is measured.
        at_most: limits of that loss, such as `kl=0.02`; a build that loses more is refused.
    """

    formats: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    evaluate: Path | None = None
    at_most: tuple[str, ...] = ()

    @property
    def unused(self) -> str:
        """The first option that says nothing without a format."""
        return "`--keep`" if self.keep else "`--evaluate`" if self.evaluate is not None else "`--at-most`"


@record(eq=False)
class Quantising:
    """What is rounded: the spec with floats as it was accepted, and the plan.

    What that costs is measured on `data`, if given, and may be `at_most` so much, by measure.
    """

    floats: Checked
    plan: Plan
    data: Path | None = None
    at_most: Mapping[str, float] = field(default_factory=dict)

    def program(self, program: Program) -> Program:
        """The program with floats for the one of a bundle."""
        return replace(program, source=FLOATS / MODULE, weights=FLOATS / WEIGHTS)

    def begin(
        self, folder: Path, program: Program, weights: Weights, layout: str | None, seed: int, progress: Progress
    ) -> tuple[WeightsEntry, tuple[Stage, ...]]:
        """Write the plan, the weights as floats and those of the bundle, in a folder that has its spec.

        `program` is that of the bundle; the other arguments and errors are those of `put_weights`.
        """
        (folder / PLAN).write_text(write_plan(self.plan), encoding="utf-8")
        integers = self.integers(weights)
        if integers is not None:
            _save(folder / program.weights, integers)
            return WeightsEntry(path=WEIGHTS, origin="given", layout=layout), ()
        (folder / FLOATS).mkdir()
        floats = self.program(program)
        (folder / floats.source).write_text(emit(self.floats), encoding="utf-8")
        entry, stages = put_weights(folder, self.floats, floats, weights, layout, seed, progress)
        job = {"spec": SPEC, "floats": str(floats.weights), "weights": str(program.weights)}
        worker = "archspec.bundle.worker"
        made = run_step(worker, "quantise", job, folder=folder, stage="quantise weights", progress=progress)
        return entry.model_copy(update={"path": WEIGHTS}), (*stages, made.stage)

    def integers(self, weights: Weights) -> Mapping[str, Any] | None:
        """Weights that are stored by the plan already, as those of a bundle are; None for others."""
        if not isinstance(weights, (str, Path)):
            return None
        with read_weights(weights) as file:
            if file.shapes != parameter_shapes(quantised(self.floats.spec, self.plan).graph):
                return None
            if self.data is not None:
                message = "the loss of weights that are integers already cannot be measured"
                fail("E632", message, None, help="give the weights that they were rounded from")
            return dict(file.items())

    def finish(self, folder: Path, program: Program, progress: Progress) -> tuple[QuantisedEntry, tuple[Stage, ...]]:
        """Measure what is lost, once the weights are written, and remove what is no part of the bundle.

        Returns the entry of the manifest. Raises SpecError E633 for data that cannot be used, E634 for too much loss.
        """
        entry = QuantisedEntry(
            formats=written(self.plan),
            bytes=(folder / WEIGHTS).stat().st_size,
            float_bytes=self.floats.cost.weight_bytes,
        )
        stages: tuple[Stage, ...] = ()
        if self.data is not None:
            job = {
                "spec": SPEC,
                "floats": self.program(program).to_json(),
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


def quantise_weights(spec: Path, floats: Path, weights: Path) -> None:
    """Round the weights of a file by the plan of a bundle's spec into another file."""
    from safetensors.torch import load_file

    from archspec.quantising.tensors import stored_tensors

    given: Mapping[str, Any] = load_file(floats)
    _save(weights, dict(stored_tensors(bundled_spec(spec).graph, given)))


def _save(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write tensors such that the same ones give the same file."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in sorted(tensors.items())}, path)
