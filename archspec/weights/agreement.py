"""What the ranks of a process group must agree on: an error on one of them is an error on all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archspec.diagnostics import fail

if TYPE_CHECKING:
    import torch


def on_any_rank(flags: Sequence[bool], device: torch.device) -> list[bool]:
    """Return for each flag whether any rank has set it; every rank gives as many. One process alone has its own."""
    return [bool(number) for number in largest_on_any_rank([int(flag) for flag in flags], device)]


@contextmanager
def on_every_rank(device: torch.device) -> Iterator[None]:
    """Leave the context on every rank, or with an error on every rank: no rank waits for one that has given up.

    `device` is one that the default process group communicates on; nothing in the context may wait for other ranks.
    Raises SpecError E940 where another rank failed; its own error says why.
    """
    try:
        yield
    except Exception:
        largest_on_any_rank([rank() + 1], device)
        raise
    (failed,) = largest_on_any_rank([0], device)
    if failed:
        help = f"see the error of rank {failed - 1}"
        fail("E940", f"rank {failed - 1} failed, so this rank stops as well", None, help=help)


def largest_on_any_rank(numbers: Sequence[int], device: torch.device) -> list[int]:
    """Return the largest of each number over the ranks; one process alone has its own."""
    import torch
    import torch.distributed as dist

    if is_alone():
        return list(numbers)
    held = torch.tensor(numbers, dtype=torch.int64, device=device)
    dist.all_reduce(held, dist.ReduceOp.MAX)
    return list(map(int, held.tolist()))


def is_alone() -> bool:
    """Whether this process is in no group."""
    import torch.distributed as dist

    return not (dist.is_available() and dist.is_initialized())


def rank() -> int:
    """Return the number of this process in the default group, 0 where there is none."""
    import torch.distributed as dist

    return 0 if is_alone() else dist.get_rank()


def world() -> int:
    """Return the number of processes in the default group, 1 where there is none."""
    import torch.distributed as dist

    return 1 if is_alone() else dist.get_world_size()
