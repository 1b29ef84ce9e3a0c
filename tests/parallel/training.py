"""A short training of a small language model, the same on any number of ranks and however it is distributed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.optim import AdamW, Optimizer

import archspec
from archspec.checking import accepted
from archspec.model.checked import Checked
from archspec.parallel import clip_gradients, initialise, next_token_loss, parallelize, resume, save

ROWS, LENGTH, STEPS = 4, 12, 50
LARGEST = 1.0
"""The largest norm of gradients, which the first steps have beyond it."""


@cache
def checked(name: str = "llama-3-8b") -> Checked:
    return accepted(name, reduced=True)


def built(
    data: int, tensor: int, name: str = "llama-3-8b", *, expert_parallel: bool = False
) -> tuple[nn.Module, Optimizer]:
    """The module in float64 on data x tensor ranks, made without memory and then initialised; and its optimizer."""
    sizes = {"data": data, "tensor": tensor}
    dims = {name: size for name, size in sizes.items() if size > 1}
    with torch.device("meta" if dims else "cpu"):
        module = archspec.compile(checked(name)).double()
    if dims:
        mesh = init_device_mesh("cpu", (*dims.values(),), mesh_dim_names=(*dims,))
        parallelize(module, checked(name), mesh, expert_parallel=expert_parallel)
    initialise(module, checked(name), seed=0)
    return module, AdamW(module.parameters(), lr=1e-2, betas=(0.9, 0.95))


def batch(step: int) -> Tensor:
    """Rows of counting ids, which can be learned."""
    made = torch.Generator().manual_seed(step)
    starts, paces = (torch.randint(1, 7, (ROWS, 1), generator=made) for _ in range(2))
    return (starts + paces * torch.arange(LENGTH)) % 97


def one_step(module: nn.Module, optimizer: Optimizer, step: int, data: int, place: int) -> float:
    """One step on this rank's rows; returns the mean loss of all rows before it."""
    ids = batch(step).chunk(data)[place]
    loss = next_token_loss(module(ids), ids)
    optimizer.zero_grad()
    loss.backward()
    if dist.is_initialized():
        clip_gradients(module.parameters(), LARGEST)
    else:
        nn.utils.clip_grad_norm_(module.parameters(), LARGEST)
    optimizer.step()
    mean = loss.detach().clone()
    if data > 1:
        dist.all_reduce(mean)
    return float(mean) / (dist.get_world_size() if data > 1 else 1)


def train(
    data: int,
    tensor: int,
    last: int = STEPS,
    folder: Path | None = None,
    every: int = 0,
    name: str = "llama-3-8b",
    expert_parallel: bool = False,
) -> list[float]:
    """Losses of the steps from the newest checkpoint of a folder, or the first, to a last one.

    A checkpoint is saved after `every` steps. The ranks of one row of tensor parallelism see the same rows.
    """
    module, optimizer = built(data, tensor, name, expert_parallel=expert_parallel)
    found = resume(folder, module, optimizer) if folder is not None else None
    first = found.step if found is not None else 0
    assert found is None or found.data == {"rows": first * ROWS}
    place = dist.get_rank() // tensor if data > 1 else 0
    losses = []
    for step in range(first, last):
        losses.append(one_step(module, optimizer, step, data, place))
        if folder is not None and every and (step + 1) % every == 0:
            save(folder, module, optimizer, step=step + 1, data={"rows": (step + 1) * ROWS})
    return losses
