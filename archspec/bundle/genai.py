"""The layout `genai`: in addition to the artifacts, a folder that ONNX Runtime GenAI opens and generates from.

`genai/` has the step of the decoder as `model.onnx`, the `genai_config.json` that describes it, and the files that the
bundle carries, such as a tokenizer's. The step is compared with full forwards before anything is kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archspec.bundle.manifest import ArtifactEntry
from archspec.bundle.report import ParityTrial
from archspec.bundle.sources import SPEC
from archspec.diagnostics import Collector, fail
from archspec.engines.cache import tool_versions
from archspec.engines.genai.configuration import CONFIGURATION, configuration
from archspec.engines.genai.form import genai_form
from archspec.engines.process import Progress, Stage, StageOutcome, run_step
from archspec.engines.program import Program
from archspec.lower.emission import emit_graph
from archspec.model.checked import Checked
from archspec.model.ports import DTypeName
from archspec.record import record

FOLDER = "genai"
MODEL = "model.onnx"
_SOURCE = Path(".genai", "step.py")


def check_genai(checked: Checked, dtype: DTypeName, carried: Sequence[Path]) -> None:
    """Check that a spec can be written for ONNX Runtime GenAI, before anything is built.

    Raises SpecError: E603 for bfloat16, E627 and E748 for what the runtime cannot hold, E721 for a carried file with
    the name of one that is written.
    """
    if dtype == "bfloat16":
        help = "use float32 or float16"
        fail("E603", "`--layout genai` does not support bfloat16: ONNX Runtime cannot run it on a CPU", None, help=help)
    found = Collector()
    for file in carried:
        if file.name == CONFIGURATION or file.name.startswith(MODEL):
            found.error("E721", f"`{file.name}` is the name of a file in `{FOLDER}`", None, help="rename it")
    found.raise_if_errors()
    genai_form(checked.spec)


@record(eq=False)
class GenaiWork:
    """The folder `genai` of a bundle that is being written in `folder`; `program` is that of the full forward."""

    folder: Path
    checked: Checked
    program: Program
    dtype: DTypeName
    progress: Progress

    def write(self, carried: Sequence[Path]) -> GenaiWritten:
        """Export the step, compare it, and write the folder. Raises SpecError E605, E607, E609 or E610."""
        form = genai_form(self.checked.spec)
        (self.folder / FOLDER).mkdir()
        (self.folder / _SOURCE).parent.mkdir()
        source = emit_graph(form.step, self.checked.spec.name, self.checked)
        (self.folder / _SOURCE).write_text(source, encoding="utf-8")
        exported = self._run("export_genai", "export the step for ONNX Runtime GenAI")
        compared = self._run("compare_genai", "compare the step for ONNX Runtime GenAI")
        # The emitted step is not part of the result.
        shutil.rmtree((self.folder / _SOURCE).parent)
        described = configuration(self.checked.spec, form, MODEL)
        (self.folder / FOLDER / CONFIGURATION).write_text(described, encoding="utf-8")
        for file in carried:
            shutil.copyfile(file, self.folder / FOLDER / file.name)
        return GenaiWritten(
            trials=[ParityTrial.model_validate(trial) for trial in compared.result["trials"]],
            skipped=compared.result["skipped"],
            stages=[exported.stage, compared.stage],
        )

    def _run(self, task: str, stage: str) -> StageOutcome:
        """Run a step in a separate process."""
        step = {"source": str(_SOURCE), "file": f"{FOLDER}/{MODEL}", "spec": SPEC}
        job: dict[str, Any] = {**step, "program": self.program.to_json(), "dtype": self.dtype}
        return run_step("archspec.bundle.worker", task, job, folder=self.folder, stage=stage, progress=self.progress)


@record(eq=False)
class GenaiWritten:
    """What was measured while the folder was written."""

    trials: list[ParityTrial]
    skipped: list[str]
    stages: list[Stage]


def genai_entry(folder: Path, dtype: DTypeName, trials: Sequence[ParityTrial], notes: Sequence[str]) -> ArtifactEntry:
    """Return the manifest's entry of the folder `genai`, the ONNX file first."""
    # The first file is the one that is opened; the others are sorted, so that manifests are reproducible.
    names = sorted((path.name for path in (folder / FOLDER).iterdir()), key=lambda name: (name != MODEL, name))
    return ArtifactEntry(
        target=FOLDER,
        dtype=dtype,
        files=[f"{FOLDER}/{name}" for name in names],
        verified="executed" if any(trial.artifact == FOLDER for trial in trials) else "built",
        tool="onnxruntime",
        version=tool_versions()["onnxruntime"],
        profiles=[],
        notes=list(notes),
    )
