"""The step of a build that compares: `python -m archspec.bundle.worker`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.bundle.parity import contest, shown
from archspec.bundle.report import Trial
from archspec.diagnostics import Collector
from archspec.engines.engine import Target
from archspec.engines.program import Program
from archspec.engines.serve import serve


def compare(job: dict[str, Any]) -> dict[str, Any]:
    """Hold an artifact against the module and the interpreter. Raises SpecError E609 for every output too far off."""
    target = Target(engine=job["engine"], capabilities=tuple(job["capabilities"]))
    program = Program.from_json(job["program"])
    made = list(contest(target, job["dtype"], Path(job["file"]), program, Path(job["spec"])).trials())
    trials = [trial for trial in made if isinstance(trial, Trial)]
    found = Collector()
    for trial in trials:
        _judge(trial, found)
    found.raise_if_errors()
    skipped = [line for line in made if isinstance(line, str)]
    return {"trials": [trial.model_dump(mode="json") for trial in trials], "skipped": skipped}


def _judge(trial: Trial, found: Collector) -> None:
    for one in trial.differences:
        if not one.allowed(trial.dtype):
            where = f"in `{one.output}` at {shown(trial.sizes)}"
            message = f"{trial.artifact} differs from the {trial.reference} by {one.largest:.3g} {where}"
            found.error("E609", message, None, notes=[f"the largest value there is {one.scale:.3g}"])


if __name__ == "__main__":
    serve({"compare": compare})
