"""1,000 layers against 10: repeated layers are one region, so they should cost the same to check and to emit."""

from __future__ import annotations

import gc
import time
from statistics import median

from row import Row, spread

RUNS = 15
SPEC = "gpt2"


def layer_rows() -> list[Row]:
    """Ratios of checking and of the length of the emitted source."""
    from archspec.checking import accepted, check
    from archspec.lower import emit
    from archspec.spec import load

    def timed(layers: int) -> float:
        gc.collect()
        started = time.perf_counter()
        check(SPEC, set={"layers": str(layers)})
        return time.perf_counter() - started

    timed(10), timed(1000)
    few, many = zip(*((timed(10), timed(1000)) for _ in range(RUNS)), strict=True)
    lines = {layers: emit(accepted(load(SPEC, set={"layers": str(layers)}))).count("\n") for layers in (10, 1000)}
    return [
        Row(
            what=f"check {SPEC}, 1,000 layers / 10 layers, in process",
            value=median(many) / median(few),
            unit="x",
            bound=1.2,
            detail=f"median of {RUNS}, alternating; 10: {spread(list(few))}, 1,000: {spread(list(many))}",
        ),
        Row(
            what="emitted lines, 1,000 layers - 10 layers",
            value=lines[1000] - lines[10],
            unit="lines",
            bound=0,
            detail=f"{lines[10]} lines",
        ),
    ]
