"""Stages on ranks against one process that accumulates the same micro-batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.pipelining import Schedule1F1B, ScheduleGPipe

from archspec.record import record
from tests.parallel.emitted import Emitted, differs, gradients, loss, outputs, whole

SCHEDULES = {"GPipe": ScheduleGPipe, "1F1B": Schedule1F1B}
PARTS = 4


@record
class Pipelined:
    """The files of a pipeline, the model that they are stages of, and the schedule that runs them."""

    name: str
    files: Mapping[str, str]
    texts: Emitted
    schedule: str


@record
class Compared:
    """The largest differences of losses and gradients on a rank, and the names of the tensors that it holds."""

    losses: float
    gradients: float
    names: frozenset[str]


def compared(jobs: Iterable[Pipelined], folder: str, stages: int) -> list[Compared]:
    """Run each pipeline on this rank, and compare it with one process."""
    ranks = dist.get_world_size()
    names = ("pipeline", "tensor") if ranks > stages else ("pipeline",)
    mesh = init_device_mesh("cpu", (stages, ranks // stages)[: len(names)], mesh_dim_names=names)
    return [_one(job, Path(folder, job.name, str(dist.get_rank())), mesh) for job in jobs]


def _one(job: Pipelined, folder: Path, mesh: DeviceMesh) -> Compared:
    """Run one pipeline."""
    code, line = _written(job.files, folder), mesh["pipeline"]
    reference = whole(job.texts)
    state = reference.state_dict()
    module = code["make_stage"](line).double().eval()
    names = frozenset(module.state_dict())
    module.load_state_dict({name: state[name] for name in names})
    if "tensor" in (mesh.mesh_dim_names or ()):
        split = job.files[f"parallelize_{line.get_local_rank()}.py"]
        _run(split, folder / "parallelize.py")["parallelize"](module, mesh)
    stage = code["pipeline_stage"](module, line, "cpu")
    losses: list[Tensor] = []
    inputs = dict(job.texts.inputs)
    rows = len(next(iter(inputs.values())))
    last = {"target": torch.zeros(rows, 1), "losses": losses} if stage.is_last else {}
    SCHEDULES[job.schedule](stage, PARTS, loss_fn=_loss).step(**code["own_inputs"](line, inputs), **last)
    code["add_tied_gradients"](module, line)
    wanted = _accumulated(reference, inputs)
    assert len(losses) == (PARTS if stage.is_last else 0)
    return Compared(
        losses=max((differs(a.detach(), b) for a, b in zip(losses, wanted, strict=False)), default=0.0),
        gradients=_gradients_differ(module, reference),
        names=names,
    )


def _accumulated(reference: nn.Module, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """The losses of the micro-batches in one process, whose gradients are added up."""
    found = []
    for number in range(PARTS):
        batch = {name: one.chunk(PARTS)[number] for name, one in inputs.items()}
        value = _loss(outputs(reference, batch), None)
        (value / PARTS).backward()
        found.append(value.detach())
    return found


def _gradients_differ(module: nn.Module, reference: nn.Module) -> float:
    """The largest difference of a gradient of a stage from that of the model."""
    given, expected = gradients(module), gradients(reference)
    names = {name for name, one in module.named_parameters() if one.requires_grad}
    for name in given.keys() - expected.keys():
        assert not given[name].any()
    assert expected.keys() & names <= given.keys()
    return max(differs(given[name], expected[name]) for name in expected.keys() & names)


def _loss(results: Any, _: Tensor | None) -> Tensor:
    return loss([results] if isinstance(results, Tensor) else list(results))


def _written(files: Mapping[str, str], folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return _run(files["pipeline.py"], folder / "pipeline.py")


def _run(text: str, path: Path) -> dict[str, Any]:
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module.__dict__
