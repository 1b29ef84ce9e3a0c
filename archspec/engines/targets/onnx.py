"""The target `onnx`: the exported program as a file, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.engines.engine import Artifact, RoundingEngine, Target, opset_reason
from archspec.engines.onnx_step import BoundStep
from archspec.engines.step_session import StepSession
from archspec.model.ports import DTypeName, Interface
from archspec.model.runner import Runner

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession, SessionOptions

    from archspec.engines.program import Program


class Onnx(RoundingEngine):
    """ONNX at opset 18, float32 or float16: what any host can run."""

    word = "onnx"
    steps = True
    keeps_integers = True
    step_form = "ort"
    runtime = "onnxruntime"
    speed = 3

    def targets(self, options: str | None) -> tuple[Target, ...]:
        """Return the only target. Raises SpecError E601 for options."""
        if options is not None:
            fail("E601", f"`onnx:{options}`: the target `onnx` takes no options", None, help="write `onnx`")
        return (Target(engine=self.word),)

    def check(self, target: Target, dtype: DTypeName) -> None:
        """Raise SpecError E603 for bfloat16, for which ONNX Runtime has no CPU kernels."""
        if dtype == "bfloat16":
            help = "use float32 or float16, or build bfloat16 only for `tensorrt-rtx`"
            fail("E603", f"`{target}` does not support {dtype}: ONNX Runtime cannot run it on a CPU", None, help=help)

    def build(self, program: Program, source: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
        """Copy the exported file, with its external weights if there are any."""
        import onnxruntime

        # Large weights are in a file next to the model whose name begins with the model's.
        names = sorted(path.name for path in source.parent.glob(f"{source.name}*"))
        for name in names:
            shutil.copyfile(source.with_name(name), folder / name)
        return Artifact(
            target=str(target),
            dtype=dtype,
            files=(source.name, *(name for name in names if name != source.name)),
            tool="onnxruntime",
            version=onnxruntime.__version__,
            notes=(opset_reason(source),),
        )

    def obstacle(self, target: Target, artifact: Artifact) -> str | None:
        """Return None: ONNX Runtime is always installed."""
        return None

    def open(self, path: Path, interface: Interface, *, rounded: bool = False) -> Runner:
        """Return a session on the CPU. Raises SpecError E610 for a file that ONNX Runtime rejects."""
        return _Session(_opened(path, rounded))

    def open_step(
        self, path: Path, interface: Interface, updates: Mapping[str, str], *, rounded: bool = False
    ) -> StepSession:
        """Return a session that writes the state in place. Raises SpecError E610 for a file that is rejected."""
        return BoundStep(_opened(path, rounded), updates)


def _opened(path: Path, rounded: bool) -> InferenceSession:
    """Open a file. Raises SpecError E610 if ONNX Runtime rejects it."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    refusals = (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.InvalidArgument)
    options = session_options(rounded=rounded)
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except (*refusals, errors.NotImplemented, errors.NoSuchFile, errors.RuntimeException) as error:
        fail("E610", f"ONNX Runtime cannot open {path.name or path}", None, notes=(str(error).strip(),))


def session_options(*, rounded: bool) -> SessionOptions:
    """The options of a session; see `RoundingEngine` for `rounded`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Errors only: warnings would be printed to the user's terminal.
    options.log_severity_level = 3
    if rounded:
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "4")
    else:
        # Quantised weights are made floats here: with eight bits, the runtime has no fast product of integers that
        # takes its inputs as they are.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return options


class _Session:
    """Runs an ONNX Runtime session on arrays by name."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return outputs by name. Raises SpecError E610 if ONNX Runtime fails."""
        from onnxruntime.capi import onnxruntime_pybind11_state as errors

        try:
            values = self._session.run(self._outputs, dict(inputs))
        except (errors.Fail, errors.InvalidArgument, errors.RuntimeException) as error:
            fail("E610", "ONNX Runtime failed on these inputs", None, notes=(str(error).strip(),))
        return dict(zip(self._outputs, values, strict=True))
