"""How tensor ranks draw random numbers: a part of every emitted `parallelize.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.overrides import TorchFunctionMode


class Draws(TorchFunctionMode):
    """Random numbers in training: alike on ranks that hold the same, else apart.

    What draws stands in `DRAWS` by the module whose forward does, in order: how many
    ranks in a row draw alike.
    """

    def __init__(self, mesh: DeviceMesh) -> None:
        super().__init__()
        self.mesh = mesh
        self.is_checked = False
        self.running: list[Iterator[int]] = []

    def run(
        self,
        module: nn.Module,
        forward: Callable[..., Any],
        alike: tuple[int, ...],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Run a forward that draws."""
        if not module.training:
            return forward(*args, **kwargs)
        self.check(next(module.parameters(), torch.empty(0)).device)
        self.running.append(iter(alike))
        try:
            if len(self.running) > 1:
                return forward(*args, **kwargs)
            with self:
                return forward(*args, **kwargs)
        finally:
            self.running.pop()

    def check(self, device: torch.device) -> None:
        """Raise ValueError, before the first draw, unless all ranks draw the same."""
        if self.is_checked:
            return
        state = torch.get_rng_state()
        own = torch.randint(2**62, (1,))
        torch.set_rng_state(state)
        every = [torch.empty_like(own, device=device) for _ in range(self.mesh.size())]
        dist.all_gather(every, own.to(device), group=self.mesh.get_group())
        if len({int(one) for one in every}) > 1:
            raise ValueError(
                "tensor ranks draw different random numbers, but hold the same values: "
                "call torch.manual_seed with one seed on all of them"
            )
        self.is_checked = True

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if not draws(func, given):
            return func(*args, **given)
        alike = next(self.running[-1])
        if alike == self.mesh.size():
            return func(*args, **given)
        # Drawn by all from one seed, so that they go on alike.
        seed = int(torch.randint(2**62, ())) + self.mesh.get_local_rank() // alike
        kind, number = args[0].device.type, args[0].device.index
        devices = [] if kind == "cpu" else [number]
        with torch.random.fork_rng(
            devices, device_type="cuda" if kind == "cpu" else kind
        ):
            torch.manual_seed(seed)
            return func(*args, **given)


def draws(func: Callable[..., Any], given: Mapping[str, Any]) -> bool:
    """Whether a call draws: modules in evaluation do not, inside others in training."""
    if func is F.dropout:
        return bool(given["training"])
    return func is F.scaled_dot_product_attention and bool(given.get("dropout_p"))
