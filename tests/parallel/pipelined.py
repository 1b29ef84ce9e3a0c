"""Stages on ranks against one process that accumulates the same micro-batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe
from torch.distributed.tensor import DTensor

from archspec.record import record
from tests.parallel.emitted import Emitted, differs, gradients, loss, outputs, whole
from tests.parallel.exchanges import Exchanges

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
    """What one rank found.

    Fields:
        losses: the largest difference of a loss.
        gradients: the largest difference of a gradient.
        names: the tensors that it holds.
        stage: its stage.
        counts: collectives over tensor ranks in a step, by kind.
        given: the elements that it gave to them.
        stored: the elements of the parameters that it stores.
        sent: the bytes that it sent to the next stage in the forward passes of a step.
        tied: the bytes of gradients of parameters that several stages hold, which it sent.
    """

    losses: float
    gradients: float
    names: frozenset[str]
    stage: int
    counts: Counter[str]
    given: Counter[str]
    stored: int
    sent: int
    tied: int


def compared(jobs: Iterable[Pipelined], folder: str, stages: int, other: str = "tensor") -> list[Compared]:
    """Run each pipeline on this rank, and compare it with one process; ranks beside the stages are of `other`."""
    ranks = dist.get_world_size()
    names = ("pipeline", other) if ranks > stages else ("pipeline",)
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
    if mesh.ndim > 1:
        split = job.files[f"parallelize_{line.get_local_rank()}.py"]
        _run(split, folder / "parallelize.py")["parallelize"](module, mesh)
    stage = code["pipeline_stage"](module, line, "cpu")
    losses: list[Tensor] = []
    inputs = dict(job.texts.inputs)
    rows = len(next(iter(inputs.values())))
    last = {"target": torch.zeros(rows, 1), "losses": losses} if stage.is_last else {}
    schedule = SCHEDULES[job.schedule](stage, PARTS, loss_fn=_loss)
    own = code["own_inputs"](line, inputs)
    # A first step also tells the stages what they will be sent.
    schedule.step(**own, **last)
    module.zero_grad()
    losses.clear()
    with Exchanges() as exchanges, _sent_by(stage) as sent, _tied_by(code) as tied:
        schedule.step(**own, **last)
        code["add_tied_gradients"](module, line)
    wanted = _accumulated(reference, inputs)
    assert len(losses) == (PARTS if stage.is_last else 0)
    local = (one.to_local() if isinstance(one, DTensor) else one for one in module.parameters())
    return Compared(
        stage=line.get_local_rank(),
        counts=exchanges.counts,
        given=exchanges.given,
        stored=sum(one.numel() for one in local),
        sent=sum(sent),
        tied=sum(tied),
        losses=max((differs(a.detach(), b) for a, b in zip(losses, wanted, strict=False)), default=0.0),
        gradients=_gradients_differ(module, reference),
        names=names,
    )


@contextmanager
def _sent_by(stage: PipelineStage) -> Iterator[list[int]]:
    """The bytes of what a stage sends forward."""
    found: list[int] = []
    made = stage.get_fwd_send_ops

    def counted(number: int) -> list[dist.P2POp]:
        ops = made(number)
        found.extend(one.tensor.nbytes for one in ops)
        return ops

    with mock.patch.object(stage, "get_fwd_send_ops", counted):
        yield found


@contextmanager
def _tied_by(code: Mapping[str, Any]) -> Iterator[list[int]]:
    """The bytes that the file of a pipeline itself sends: gradients of tied parameters."""
    found: list[int] = []
    send = dist.send

    def counted(tensor: Tensor, **options: Any) -> None:
        found.append(tensor.nbytes)
        send(tensor, **options)

    with mock.patch.object(code["dist"], "send", counted):
        yield found


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
