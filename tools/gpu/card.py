"""The device under test: its clock, its matrix rate and its bandwidth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

WARM_UP, RUNS = 5, 20
SIDES = {"cuda": 8192, "cpu": 512}
COPIED = {"cuda": 1 << 30, "cpu": 1 << 24}


@dataclass(frozen=True, kw_only=True)
class Card:
    """A device that torch knows, `cuda` or `cpu`."""

    device: str

    def obstacle(self) -> str | None:
        """Why nothing can be measured on it."""
        if self.device != "cuda" or torch.cuda.is_available():
            return None
        return "there is no CUDA device" if torch.version.cuda else "this torch is built without CUDA"

    def name(self) -> str:
        """What it is."""
        return torch.cuda.get_device_name() if self.device == "cuda" else "processor"

    def capability(self) -> str | None:
        """Its compute capability as TensorRT-RTX names it: `sm89`."""
        return "sm{}{}".format(*torch.cuda.get_device_capability()) if self.device == "cuda" else None

    def seconds(self, run: Callable[[], Any]) -> float:
        """Median of several runs: by CUDA events on a GPU, on a stream of its own; by the clock elsewhere."""
        if self.device != "cuda":
            for _ in range(WARM_UP):
                run()
            return median(_clocked(run) for _ in range(RUNS))
        torch.cuda.synchronize()
        # Around the default stream TensorRT waits for the whole device.
        with torch.cuda.stream(torch.cuda.Stream()):
            for _ in range(WARM_UP):
                run()
            pairs = [tuple(torch.cuda.Event(enable_timing=True) for _ in range(2)) for _ in range(RUNS)]
            for begin, end in pairs:
                begin.record()
                run()
                end.record()
        torch.cuda.synchronize()
        return median(begin.elapsed_time(end) for begin, end in pairs) / 1e3

    def matrix_rate(self, dtype: torch.dtype) -> float:
        """FLOPs a second of a product of square matrices."""
        side = SIDES[self.device]
        a, b = (torch.randn(side, side, device=self.device).to(dtype) for _ in range(2))
        return 2 * side**3 / self.seconds(lambda: a @ b)

    def bandwidth(self) -> float:
        """Bytes a second that a copy within its memory reads and writes."""
        source = torch.zeros(COPIED[self.device], dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        return 2 * source.nbytes / self.seconds(lambda: target.copy_(source))


def _clocked(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
