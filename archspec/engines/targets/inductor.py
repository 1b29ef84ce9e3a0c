"""The target `inductor`: native code compiled by torch's AOTInductor, for this kind of processor or this host's GPU."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import fail
from archspec.engines.engine import Artifact, Engine, Target
from archspec.engines.host import runs_on, this_gpu, this_host
from archspec.model.ports import DTypeName, Interface
from archspec.model.runner import Runner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archspec.engines.program import Program

CUDA = "cuda"
_COMPILERS = {"darwin": "clang++", "win32": "cl"}


class Inductor(Engine):
    """A package of native code: `inductor` for this kind of processor, `inductor:cuda` for this host's GPU."""

    word = "inductor"
    steps = True
    keeps_integers = True
    runtime = "torch"
    form = "program"
    speed = 1

    def targets(self, options: str | None) -> tuple[Target, ...]:
        """Return the target for the processor or the GPU. Raises SpecError E601 for other options."""
        if options not in (None, CUDA):
            message = f"`{self.word}:{options}`: inductor builds for this host's processor or its GPU"
            fail("E601", message, None, help=f"write `{self.word}` or `{self.word}:{CUDA}`")
        return (Target(engine=self.word, capabilities=() if options is None else (CUDA,)),)

    def check(self, target: Target, dtype: DTypeName) -> None:
        """Raise SpecError E603 for bfloat16, which NumPy does not have, E611 for a host without a compiler or GPU."""
        if dtype == "bfloat16":
            help = "use float32 or float16, or build bfloat16 only for `tensorrt-rtx`"
            message = f"`{target}` does not support {dtype}: it runs on NumPy arrays, which have no such dtype"
            fail("E603", message, None, help=help)
        # Chosen as inductor chooses it.
        compiler = os.environ.get("CXX") or _COMPILERS.get(sys.platform, "g++")
        if shutil.which(compiler) is None:
            help = "install one, or name it in the environment variable CXX"
            fail(
                "E611", f"`{target}` needs a C++ compiler, but `{compiler}` was not found on this host", None, help=help
            )
        if target.capabilities and _gpu() is None:
            fail("E611", f"`{target}` must be built on a host with its GPU, but this host has none", None)

    def build(self, program: Program, source: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
        """Compile the exported program. Raises SpecError E606 if torch or the compiler fails."""
        import torch

        from archspec.engines.inductor_build import compile_package

        device = CUDA if target.capabilities else None
        compile_package(source, folder / "model.pt2", device)
        return Artifact(
            target=str(target),
            dtype=dtype,
            files=("model.pt2",),
            tool="torch",
            version=torch.__version__,
            host=(_gpu() if device else None) or this_host(),
        )

    def obstacle(self, target: Target, artifact: Artifact) -> str | None:
        """Return why this host cannot run the code, None if it can.

        Native code is bound to the version of torch, to the kind of processor, and to the GPU that it was built for.
        """
        here = version("torch")
        # The local part of a version, such as `+cpu`, is not compared.
        if _public(here) != _public(artifact.version):
            return f"it runs only with torch {artifact.version}, which built it; this host has {here}"
        if target.capabilities:
            found = _gpu()
            return (
                None
                if found == artifact.host
                else f"it was built for {artifact.host}; this host has {found or 'no GPU'}"
            )
        host = this_host()
        if artifact.host is not None and not runs_on(artifact.host, host):
            return f"it was built for {artifact.host}; this host is {host}"
        return None

    def open(self, path: Path, interface: Interface) -> Runner:
        """Load the native code.

        Raises SpecError E610 for a package that torch rejects, or that holds more than code.
        """
        from archspec.engines.inductor_build import load_package

        model = load_package(path)
        device = model.get_metadata().get("AOTI_DEVICE_KEY", "cpu")
        return _Package(model, [port.name for port in interface.input_ports], interface.outputs, device)


class _Package:
    """Runs native code on arrays by name."""

    def __init__(self, model: Any, inputs: list[str], outputs: Iterable[str], device: str) -> None:
        self._model, self._inputs, self._outputs, self._device = model, inputs, tuple(outputs), device

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return outputs by name. Raises SpecError E610 if the code fails."""
        import torch

        try:
            with torch.inference_mode(), _full_precision(self._device):
                values = self._model(*(torch.from_numpy(inputs[name]).to(self._device) for name in self._inputs))
        except RuntimeError as error:
            fail("E610", "the inductor package failed on these inputs", None, notes=(str(error).strip()[:400],))
        return {name: value.cpu().numpy() for name, value in zip(self._outputs, values, strict=True)}


@contextmanager
def _full_precision(device: str) -> Iterator[None]:
    """Turn off TF32 on a GPU for the time of the context.

    By default torch rounds the inputs of float32 convolutions to ten bits of mantissa.
    """
    if device != CUDA:
        yield
        return
    from torch.backends import cudnn

    before = cudnn.allow_tf32
    cudnn.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before


def _public(version: str) -> str:
    """Return a version without its local part."""
    return version.partition("+")[0]


def _gpu() -> str | None:
    """Return the name of this host's GPU, None if there is none."""
    found = this_gpu()
    return None if found is None else found.name
