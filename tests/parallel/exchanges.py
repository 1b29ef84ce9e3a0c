"""What ranks exchange, as torch runs it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch.distributed.tensor.debug import CommDebugMode
from torch.utils._python_dispatch import TorchDispatchMode

KINDS = {"all_reduce": "all-reduce", "all_gather_into_tensor": "all-gather", "reduce_scatter_tensor": "reduce-scatter"}


class Exchanges(TorchDispatchMode):
    """Counts collectives, and adds up the elements of their operands."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.given: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "_c10d_functional" and (kind := KINDS.get(func._opname)) is not None:
            self.counts[kind] += 1
            self.given[kind] += args[0].numel()
        return func(*args, **(kwargs or {}))


def by_torch() -> CommDebugMode:
    """The mode of torch, without its tracking of modules, which fails where a module is called twice."""
    counted = CommDebugMode()
    tracker = counted.advanced_module_tracker
    tracker._fw_set_module_hook = lambda *_: None
    return counted
