"""The target `openvino`: the network in OpenVINO's own format, run on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.engines.engine import Artifact, RoundingEngine, Target, opset_reason
from archspec.engines.openvino_kernels import keep_kernels
from archspec.engines.openvino_reductions import keep_reductions
from archspec.engines.openvino_slices import keep_slices
from archspec.model.ports import DTypeName, Interface
from archspec.model.runner import Runner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archspec.engines.program import Program

_DEVICE = "CPU"
_GROUP = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", _GROUP: "0"}
"""By default, OpenVINO computes in bfloat16 where the processor supports it, whatever the network declares, and rounds
the inputs of products with quantised weights to eight bits.
"""
_EMPTY = ("Exception from", "Check 'false' failed", "FrontEnd API failed", "Model wasn't fully converted", "Summary:")
"""How lines of errors begin that name places in OpenVINO's own source alone."""
_ROUNDED = {**PROPERTIES, _GROUP: "32"}


class OpenVINO(RoundingEngine):
    """The network as `model.xml`, its weights as `model.bin`; computed in float32."""

    word = "openvino"
    steps = True
    keeps_integers = True
    runtime = "openvino"
    speed = 2
    extra = "openvino"

    def targets(self, options: str | None) -> tuple[Target, ...]:
        """Return the only target. Raises SpecError E601 for options."""
        if options is not None:
            message = f"`{self.word}:{options}`: the target `{self.word}` takes no options"
            fail("E601", message, None, help=f"write `{self.word}`")
        return (Target(engine=self.word),)

    def check(self, target: Target, dtype: DTypeName) -> None:
        """Raise SpecError E603 for bfloat16, which NumPy does not have, E604 for a missing package."""
        if dtype == "bfloat16":
            help = "use float32 or float16, or build bfloat16 only for `tensorrt-rtx`"
            message = f"`{target}` does not support {dtype}: it runs on NumPy arrays, which have no such dtype"
            fail("E603", message, None, help=help)
        if find_spec("openvino") is None:
            fail("E604", f"the target `{self.word}` needs the package openvino", None, help=self._install())

    def check_eights(self, target: Target) -> None:
        """Raise SpecError E603: OpenVINO 2026.4 gives other values where it rounds to them."""
        help = "round to `int8`, or leave `openvino` out"
        fail("E603", f"`{target}` does not support fp8: OpenVINO rounds to other values", None, help=help)

    def build(self, program: Program, source: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
        """Convert the ONNX file to OpenVINO's format. Raises SpecError E606 if OpenVINO rejects it."""
        import openvino

        try:
            # Read by the runtime itself, because `convert_model` sends telemetry.
            model = openvino.Core().read_model(source)
            keep_slices(model)
            keep_kernels(model)
            keep_reductions(model)
            # The default would store weights in float16.
            openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
        except RuntimeError as error:
            fail("E606", "OpenVINO rejected the network", None, notes=_lines(error))
        return Artifact(
            target=str(target),
            dtype=dtype,
            files=("model.xml", "model.bin"),
            tool="openvino",
            version=openvino.__version__,
            notes=(
                opset_reason(source),
                "computed in float32: by default OpenVINO uses bfloat16 where the processor supports it",
            ),
        )

    def obstacle(self, target: Target, artifact: Artifact) -> str | None:
        """Return that the package is missing, or older than the one that wrote the network; None otherwise."""
        if find_spec("openvino") is None:
            return f"the package openvino is not installed: {self._install()}"
        from importlib.metadata import version

        here = version("openvino")
        if _release(here) < _release(artifact.version):
            return f"it was written by openvino {artifact.version.partition('-')[0]}; this host has the older {here}"
        return None

    def open(self, path: Path, interface: Interface, *, rounded: bool = False) -> Runner:
        """Compile for the processor. Raises SpecError E610 for a file that OpenVINO rejects."""
        import openvino

        core = openvino.Core()
        try:
            model = core.compile_model(core.read_model(path), _DEVICE, _ROUNDED if rounded else PROPERTIES)
            return _Compiled(model, tuple(interface.outputs))
        except RuntimeError as error:
            fail("E610", f"OpenVINO cannot open {path.name}", None, notes=_lines(error))

    def _install(self) -> str:
        """Return the command that installs the package."""
        return f"pip install 'archspec-compiler[{self.extra}]'"


class _Compiled:
    """Runs a compiled network on arrays by name."""

    def __init__(self, model: Any, outputs: tuple[str, ...]) -> None:
        self._model = model
        # An output may have the name of another value too, to which it adds zeros.
        self._outputs = {name: model.output(name) for name in outputs}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return outputs by name. Raises SpecError E610 if OpenVINO fails."""
        request = self._model.create_infer_request()
        try:
            request.infer(dict(inputs))
        except RuntimeError as error:
            fail("E610", "OpenVINO failed on these inputs", None, notes=_lines(error))
        # The arrays are views of the request's memory, which is freed with it.
        return {name: request.get_tensor(port).data.copy() for name, port in self._outputs.items()}


def _lines(error: Exception) -> list[str]:
    """Return the first lines of an error that say something, or the first of all if none does."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(_EMPTY)][:4] or lines[:4]


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparison."""
    return tuple(int(part) for part in version.partition("-")[0].split(".")[:3] if part.isdigit())
