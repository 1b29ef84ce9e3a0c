"""What every emitted `pipeline.py` holds beside its own tables, empty here."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.pipelining import PipelineStage
from torch.distributed.tensor import DTensor

# --- tables ---
CLASSES: tuple[str, ...] = ()
INPUTS: tuple[tuple[str, ...], ...] = ()
FIRST_LAYERS: tuple[dict[str, int], ...] = ()
TIED: dict[str, tuple[int, ...]] = {}
# --- end of tables ---


def make_stage(mesh: DeviceMesh) -> nn.Module:
    """Make the module of this rank's stage, whose tensors have the names of the model.

    Args:
        mesh: has one dim, of as many ranks as there are stages.
    """
    number = stage_number(mesh)
    file = Path(__file__).with_name(f"stage_{number}.py")
    found = spec_from_file_location(file.stem, file)
    assert found is not None and found.loader is not None
    code = module_from_spec(found)
    found.loader.exec_module(code)
    module: nn.Module = getattr(code, CLASSES[number])()
    # What loads weights of the model takes those that a stage has.
    vars(module)["pipeline_stage"] = number
    for path, first in FIRST_LAYERS[number].items():
        layers = module.get_submodule(path)
        # Lists have no gaps, but iterate over what they hold by any name.
        layers._modules = {
            str(first + n): layer for n, layer in enumerate(layers.children())
        }
    return module


def pipeline_stage(
    module: nn.Module, mesh: DeviceMesh, device: torch.device | str
) -> PipelineStage:
    """Wrap the module of this rank's stage for a schedule of torch.distributed.

    The loss function of the schedule is given the model's result; of several, a tuple.

    Args:
        module: what `make_stage` gave, with its weights.
        mesh: as for `make_stage`.
        device: where the module is.
    """
    number = stage_number(mesh)
    group = mesh.get_group()
    module.register_forward_pre_hook(return_sendable)
    module.register_forward_hook(sendable)
    return PipelineStage(
        module, number, len(CLASSES), torch.device(device), group=group
    )


def sendable(module: nn.Module, args: Any, result: Any) -> Any:
    """Give results as stages send them: contiguous, and several as a plain tuple."""
    if isinstance(result, Tensor):
        return result.contiguous()
    return tuple(one.contiguous() for one in result)


def return_sendable(module: nn.Module, args: Any) -> None:
    """Give gradients of received values as stages send them: contiguous."""
    for one in args:
        if getattr(one, "requires_grad", False):
            one.register_hook(Tensor.contiguous)


def own_inputs(mesh: DeviceMesh, inputs: dict[str, Any]) -> dict[str, Any]:
    """Choose the inputs of the model that this rank's stage reads.

    They are the keyword arguments of `schedule.step` on this rank.
    """
    return {name: inputs[name] for name in INPUTS[stage_number(mesh)] if name in inputs}


def stage_number(mesh: DeviceMesh) -> int:
    """Tell the number of this rank's stage."""
    if mesh.ndim != 1 or mesh.size() != len(CLASSES):
        raise ValueError(f"the mesh must be of {len(CLASSES)} ranks, not {mesh.shape}")
    return mesh.get_local_rank()


def add_tied_gradients(module: nn.Module, mesh: DeviceMesh) -> None:
    """Add up the gradients of parameters that several stages hold, on each of them.

    Call it on every rank after `schedule.step`, before the optimizer's step.
    """
    number, group = stage_number(mesh), mesh.get_group()
    for name, (first, *others) in TIED.items():
        if number not in (first, *others):
            continue
        parameter = module.get_parameter(name)
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        total = parameter.grad
        own = total.to_local() if isinstance(total, DTensor) else total
        if number == first:
            received = torch.empty_like(own)
            for other in others:
                dist.recv(received, group=group, group_src=other)
                own += received
            for other in others:
                dist.send(own, group=group, group_dst=other)
        else:
            dist.send(own, group=group, group_dst=first)
            dist.recv(own, group=group, group_src=first)
