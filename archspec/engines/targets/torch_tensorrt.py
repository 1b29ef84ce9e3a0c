"""The target `torch-tensorrt`: engines through Torch-TensorRT, for this host's GPU or for named GPUs elsewhere."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.diagnostics import SpecError, fail
from archspec.engines.engine import Artifact, Target
from archspec.engines.host import this_gpu
from archspec.engines.serve import tell
from archspec.engines.targets.tensorrt_rtx import TensorRTRTX
from archspec.model.ports import DTypeName, Interface
from archspec.model.runner import Runner

if TYPE_CHECKING:
    from archspec.engines.network.plan import NetworkPlan
    from archspec.engines.program import Program

CROSS = "torch-tensorrt-rtx"
"""The package with the Torch-TensorRT that uses TensorRT-RTX, which builds without a GPU."""
HOST_FILE = "model.ep"


class TorchTensorRT(TensorRTRTX):
    """`torch-tensorrt` compiles for the GPU of this host; `torch-tensorrt:sm86,sm89` builds engines for GPUs elsewhere.

    The second are engines of TensorRT-RTX, like those of `tensorrt-rtx`, which come by way of ONNX.
    """

    word = "torch-tensorrt"
    steps = False
    ranks = False
    runtime = "torch_tensorrt"
    form = "program"
    extra = CROSS

    def targets(self, options: str | None) -> tuple[Target, ...]:
        """Return this host's GPU if none is named. Raises SpecError E602 for unknown GPUs."""
        return (Target(engine=self.word),) if options is None else super().targets(options)

    def check(self, target: Target, dtype: DTypeName) -> None:
        """Raise SpecError E603 for a dtype, E604 for a missing package, E611 for a missing GPU."""
        if target.capabilities:
            super().check(target, dtype)
            _check_cross()
        else:
            _check_host(self.word, dtype)

    def check_profiles(self, target: Target, count: int) -> None:
        """Raise SpecError E625 for several profiles on this host's GPU: Torch-TensorRT compiles for one."""
        if count > 1 and not target.capabilities:
            help = f"give one `--profile`, or name the GPUs: `{self.word}:sm86,sm89` takes several"
            fail("E625", f"`{target}` supports one profile, got {count}", None, help=help)

    def build(self, program: Program, source: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
        """Compile the exported program. Raises SpecError E604, E606, E620 or E624."""
        if not target.capabilities:
            return _for_this_host(program, source, target, dtype, folder)
        import tensorrt_rtx

        from archspec.engines.through_torch.building import cross_build

        built = cross_build(source, program.interface, dtype, program.ranges(), target.capabilities, tell)
        (folder / "model.engine").write_bytes(built.engine)
        return Artifact(
            target=str(target),
            dtype=dtype,
            files=("model.engine",),
            tool="tensorrt_rtx",
            version=tensorrt_rtx.__version__,
            network=built.network,
            notes=(built.coverage,),
            warnings=built.warnings,
        )

    def plan(self, program: Program, source: Path, dtype: DTypeName) -> NetworkPlan:
        """Return the network that Torch-TensorRT makes of an exported program. Raises SpecError E604, E606 or E620."""
        from archspec.engines.through_torch.building import read_plan

        return read_plan(source, program.interface, dtype)

    def obstacle(self, target: Target, artifact: Artifact) -> str | None:
        """Return why this host cannot open an artifact, None if it can.

        For this host's own GPU: CUDA or Torch-TensorRT is missing, or the GPU or the version is not that of the build.
        """
        if target.capabilities:
            return super().obstacle(target, artifact)
        try:
            _check_host(self.word, artifact.dtype)
        except SpecError as error:
            return error.diagnostics[0].message
        here = _version("torch-tensorrt") or _version(CROSS)
        if here != artifact.version:
            return f"it runs only with Torch-TensorRT {artifact.version}, which built it; this host has {here}"
        found = _gpu_name()
        return None if found == artifact.host else f"it was built for {artifact.host}; this host has {found}"

    def open(self, path: Path, interface: Interface) -> Runner:
        """Load a module that was compiled for this host, or an engine. Raises SpecError E610."""
        if path.name != HOST_FILE:
            return super().open(path, interface)
        from archspec.engines.through_torch.host import HostModule

        return HostModule(path, interface)


def _check_cross() -> None:
    """Raise E604 if packages to build for named GPUs are missing."""
    import torch

    if find_spec("torch_tensorrt") is None or _version(CROSS) is None:
        help = f"pip install 'archspec-compiler[{CROSS}]'"
        fail("E604", f"the target `torch-tensorrt` needs the package {CROSS} to build for named GPUs", None, help=help)
    if torch.version.cuda is None:
        help = "install the CUDA build of torch: installing it needs no GPU"
        fail("E604", "Torch-TensorRT needs a CUDA build of torch; the installed one is CPU-only", None, help=help)
    from archspec.engines.through_torch.lowering import check_version

    check_version()


def _check_host(word: str, dtype: DTypeName) -> None:
    """Raise E603, E611 or E604 if this host cannot build for its own GPU."""
    if dtype == "bfloat16":
        help = "use float32 or float16, or build bfloat16 for named GPUs"
        fail(
            "E603",
            f"`{word}` does not support {dtype}: it runs on NumPy arrays, which have no such dtype",
            None,
            help=help,
        )
    if this_gpu() is None:
        help = f"name the GPUs to build for elsewhere: `{word}:sm86,sm89`"
        fail("E611", f"`{word}` must be built on a host with its GPU, but this host has none", None, help=help)
    if find_spec("torch_tensorrt") is None:
        help = "pip install 'archspec-compiler[tensorrt]'"
        fail("E604", f"the target `{word}` needs the package torch-tensorrt", None, help=help)


def _for_this_host(program: Program, source: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
    """Compile for this host's GPU."""
    from archspec.engines.through_torch.host import compile_for_host

    # `check_profiles` admits one profile at most.
    (profile,) = program.profiles or ({},)
    compile_for_host(source, program.interface.narrowed(profile), dtype, folder / HOST_FILE)
    return Artifact(
        target=str(target),
        dtype=dtype,
        files=(HOST_FILE,),
        tool="torch_tensorrt",
        version=_version("torch-tensorrt") or _version(CROSS) or "",
        host=_gpu_name(),
    )


def _version(package: str) -> str | None:
    """Return the version of a package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gpu_name() -> str:
    """Return the name of this host's GPU, which must exist."""
    found = this_gpu()
    assert found is not None  # the host was checked first
    return found.name
