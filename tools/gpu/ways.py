"""Ways to run a model on a device: eager, torch.compile, a package of inductor, Torch-TensorRT, TensorRT-RTX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from card import Card
from safetensors.torch import save_file

import archspec
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.engines.build import BuiltArtifact, Workshop
from archspec.engines.module import named_arguments, port_dtype, torch_dtype
from archspec.engines.program import Program
from archspec.engines.registry import engine_of, read_targets
from archspec.lower import emit
from archspec.lower.naming import class_name
from archspec.model.ports import DTypeName, interface_of
from archspec.model.samples import sample
from archspec.spec import Spec

Function = Callable[..., Any]


class Unable(Exception):
    """A way that this host cannot go, and why."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A spec's module on a device in a precision, and a folder to build in."""

    spec: Spec
    dtype: DTypeName
    card: Card
    folder: Path
    module: torch.nn.Module

    def inputs(self, batch: int) -> tuple[torch.Tensor, ...]:
        """Random inputs at a batch, the other dims typical."""
        interface = interface_of(self.spec)
        sizes = {symbol.name: symbol.typical for symbol in interface.symbols} | {"batch": batch}
        arrays = sample(interface, sizes, seed=0)
        ports = interface.input_ports
        tensors = ((port, torch.from_numpy(arrays[port.name])) for port in ports)
        return tuple(tensor.to(self.card.device, port_dtype(port, self.dtype)) for port, tensor in tensors)

    def built(self, target: str) -> BuiltArtifact:
        """An artifact, built in the model's folder. Raises Unable with the first diagnostic."""
        try:
            targets = read_targets([target], self.dtype)
            place = self.folder / target.replace(":", "-")
            program = self._program(place)
            (built,), _ = Workshop(folder=place, program=program, dtype=self.dtype).build(targets)
        except SpecError as error:
            raise Unable(_told(error)) from None
        return built

    def _program(self, place: Path) -> Program:
        place.mkdir(parents=True)
        (place / "model.py").write_text(emit(accepted(self.spec)), encoding="utf-8")
        state = self.module.state_dict()
        save_file({name: tensor.float().cpu().contiguous() for name, tensor in state.items()}, place / "weights")
        name = class_name(self.spec.name)
        interface = interface_of(self.spec)
        return Program(source=Path("model.py"), module=name, weights=Path("weights"), interface=interface)


def model(name: str, dtype: DTypeName, card: Card, folder: Path, *, reduced: bool) -> Model:
    """A shipped spec, or a file, compiled and moved to a device."""
    spec = archspec.load(name, reduced=reduced)
    torch.manual_seed(0)
    module = archspec.compile(spec).eval().requires_grad_(False).to(card.device, torch_dtype(dtype))
    return Model(spec=spec, dtype=dtype, card=card, folder=folder / f"{spec.name}-{dtype}", module=module)


def eager(model: Model) -> Function:
    """The module as it is."""
    return lambda *tensors: model.module(**named_arguments(model.module, tensors))


def compiled(model: Model) -> Function:
    """The module under torch.compile."""
    torch._dynamo.reset()
    made = torch.compile(model.module)
    return lambda *tensors: made(**named_arguments(model.module, tensors))


def inductor(model: Model) -> Function:
    """A package of AOTInductor. Raises Unable."""
    from archspec.engines.inductor_build import load_package

    target = "inductor:cuda" if model.card.device == "cuda" else "inductor"
    built = model.built(target)
    try:
        return load_package(_path(model, target, built))  # type: ignore[no-any-return]
    except SpecError as error:
        raise Unable(_told(error)) from None


def torch_tensorrt(model: Model) -> Function:
    """An engine for this card through Torch-TensorRT. Raises Unable."""
    built = model.built("torch-tensorrt")
    import torch_tensorrt as package

    module = package.load(str(_path(model, "torch-tensorrt", built))).module()
    return module.to(model.card.device)  # type: ignore[no-any-return]


def tensorrt_rtx(model: Model) -> Function:
    """An engine of TensorRT-RTX for this card. Raises Unable: for what is no target, or does not open here."""
    capability = model.card.capability()
    if capability is None:
        raise Unable("TensorRT-RTX runs on GPUs alone")
    target = f"tensorrt-rtx:{capability}"
    built = model.built(target)
    closed = engine_of(built.target).obstacle(built.target, built.artifact)
    if closed is not None:
        raise Unable(closed)
    from archspec.engines.rtx.running import OpenedEngine

    interface = interface_of(model.spec)
    inputs = [port.name for port in interface.input_ports]
    try:
        return OpenedEngine(_path(model, target, built), inputs, tuple(interface.outputs))
    except SpecError as error:
        raise Unable(_told(error)) from None


WAYS: dict[str, Callable[[Model], Function]] = {
    "eager": eager,
    "torch.compile": compiled,
    "inductor": inductor,
    "torch-tensorrt": torch_tensorrt,
    "tensorrt-rtx": tensorrt_rtx,
}


def _path(model: Model, target: str, built: BuiltArtifact) -> Path:
    return model.folder / target.replace(":", "-") / built.folder / built.artifact.files[0]


def _told(error: SpecError) -> str:
    first = error.diagnostics[0]
    return f"{first.message} ({first.notes[0]})" if first.notes else first.message
