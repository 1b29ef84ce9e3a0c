"""The target `tensorrt-rtx`: engines for NVIDIA GPUs, built ahead of time on any CPU, run on a host with such a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.diagnostics import SpecError, did_you_mean, fail
from archspec.engines.engine import Artifact, NetworkEngine, Target
from archspec.engines.host import this_gpu
from archspec.engines.scopes import placed
from archspec.engines.serve import tell
from archspec.engines.step_session import FunctionalSession, StepSession
from archspec.model.ports import DTypeName, Interface
from archspec.model.runner import Runner

if TYPE_CHECKING:
    from archspec.engines.network.plan import NetworkPlan
    from archspec.engines.program import Program
    from archspec.engines.rtx.running import EngineRunner

CAPABILITIES: dict[str, tuple[DTypeName, ...]] = {
    "sm75": ("float16",),
    **dict.fromkeys(("sm80", "sm86", "sm89", "sm120", "sm121"), ("float32", "float16", "bfloat16")),
}
"""The GPUs that TensorRT-RTX 1.7 builds for, and the dtypes whose matrix products each has."""
_EIGHTS = frozenset({"sm89", "sm120", "sm121"})
"""Those that have products of floats of eight bits."""


class TensorRTRTX(NetworkEngine):
    """One engine for each GPU named: `tensorrt-rtx:sm86,sm89`; `sm86+sm89` is one engine for both."""

    word = "tensorrt-rtx"
    steps = True
    ranks = True
    runtime = "tensorrt_rtx"
    speed = 9
    extra = "rtx"

    def targets(self, options: str | None) -> tuple[Target, ...]:
        """Return a target for each GPU, or group joined by `+`. Raises SpecError E602 for unknown GPUs."""
        if not options:
            help = "name the GPUs: `tensorrt-rtx:sm86,sm89,sm120`"
            fail("E602", f"`{self.word}` does not name any GPUs", None, help=help)
        groups = [tuple(part.strip() for part in group.split("+")) for group in options.split(",")]
        for capability in (name for group in groups for name in group if name not in CAPABILITIES):
            hopper = capability == "sm90"
            notes = ["TensorRT-RTX does not support H100 and H200 (sm90)"] if hopper else []
            close = None if hopper else did_you_mean(capability, CAPABILITIES, kind="GPUs")
            message = f"`{self.word}` does not build for `{capability}`"
            fail("E602", message, None, notes=notes, help=close or _known())
        return tuple(Target(engine=self.word, capabilities=tuple(dict.fromkeys(group))) for group in groups)

    def check(self, target: Target, dtype: DTypeName) -> None:
        """Raise SpecError E603 for a dtype in which a GPU has no matrix products, E604 for a missing package."""
        for capability in target.capabilities:
            allowed = CAPABILITIES[capability]
            if dtype not in allowed:
                help = f"use {' or '.join(allowed)}, or leave {capability} out"
                fail("E603", f"`{self.word}:{capability}` does not support {dtype}", None, help=help)
        if find_spec("tensorrt_rtx") is None:
            help = f"pip install 'archspec-compiler[{self.extra}]'"
            fail("E604", f"the target `{self.word}` needs the package tensorrt-rtx", None, help=help)

    def check_eights(self, target: Target) -> None:
        """Raise SpecError E603 for GPUs without products of floats of eight bits."""
        for capability in target.capabilities:
            if capability not in _EIGHTS:
                help = f"use `int8`, or leave {capability} out"
                fail("E603", f"`{self.word}:{capability}` does not support fp8", None, help=help)

    def build(self, program: Program, onnx: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
        """Parse the ONNX file and build one engine for the GPUs of the target.

        Raises SpecError E606, E620 or E624; a diagnostic that names a node of the file has its scopes.
        """
        import tensorrt_rtx

        from archspec.engines.rtx.building import compiled
        from archspec.engines.rtx.parsing import parse_program

        try:
            built = compiled(parse_program(program, onnx), program.ranges(), target.capabilities, tell)
        except SpecError as error:
            raise placed(error, onnx) from None
        (folder / "model.engine").write_bytes(built.engine)
        return Artifact(
            target=str(target),
            dtype=dtype,
            files=("model.engine",),
            tool="tensorrt_rtx",
            version=tensorrt_rtx.__version__,
            network=built.network,
            warnings=built.warnings,
        )

    def plan(self, program: Program, source: Path, dtype: DTypeName) -> NetworkPlan:
        """Return the network that TensorRT reads from an ONNX file. Raises SpecError E606 or E620."""
        from archspec.engines.rtx.parsing import parse_program

        return parse_program(program, source).plan()

    def obstacle(self, target: Target, artifact: Artifact) -> str | None:
        """Return why this host cannot open an engine, None if it can.

        TensorRT-RTX may be missing or have another version than built the engine, or there is no GPU that the engine is
        for.
        """
        here = installed()
        if here is None:
            return f"the package tensorrt-rtx is not installed: pip install 'archspec-compiler[{self.extra}]'"
        if here != artifact.version:
            return f"it runs only with TensorRT-RTX {artifact.version}, which built it; this host has {here}"
        built_for, gpu = " or ".join(target.capabilities), this_gpu()
        if gpu is None:
            return f"it needs a GPU of {built_for}, and torch finds no GPU on this host"
        return None if gpu.capability in target.capabilities else f"it was built for {built_for}; this host has {gpu}"

    def open(self, path: Path, interface: Interface) -> Runner:
        """Open an engine on this host's GPU. Raises SpecError E610 if there is none, or the file is rejected."""
        return self._opened(path, interface, {})

    def open_step(self, path: Path, interface: Interface, updates: Mapping[str, str]) -> StepSession:
        """Open the engine of a step; each step copies the state to the GPU and back. Raises SpecError E610."""
        types = {old: interface.inputs[old].type for old in updates}
        # A ring has a constant number of entries.
        whole = [old for old, type_ in types.items() if type_.rank == 4 and not type_.shape[2].is_constant]
        runner = self._opened(path, interface, {old: updates[old] for old in whole})
        return FunctionalSession(runner=runner, updates=updates, capacity=runner.capacity)

    def _opened(self, path: Path, interface: Interface, buffers: Mapping[str, str]) -> EngineRunner:
        """Open an engine; `buffers` are those of a step's state, with the outputs that replace them."""
        if installed() is None or this_gpu() is None:
            help = "run it on a host with such a GPU and exactly the version of TensorRT-RTX that the manifest names"
            fail("E610", f"{path.name} is a TensorRT-RTX engine: it runs only on a GPU", None, help=help)
        from archspec.engines.rtx.running import EngineRunner

        return EngineRunner(path, tuple(interface.inputs), tuple(interface.outputs), buffers)


def installed() -> str | None:
    """Return the version of TensorRT-RTX on this host, None without it."""
    try:
        return version("tensorrt_rtx")
    except PackageNotFoundError:
        return None


def _known() -> str:
    """Return a help text that lists the supported GPUs."""
    return "supported GPUs: " + ", ".join(f"`{name}`" for name in CAPABILITIES)
