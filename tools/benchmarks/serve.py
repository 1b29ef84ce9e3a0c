"""Our artifacts against Hugging Face's own export in the same runtime: alternating runs, same options, same threads."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from peers import PEERS, Peer
from row import Row, spread

BLOCKS, RUNS = 3, 15
SIDE = 1536
"""Side of the matrices whose product gives the machine's own rate."""
Run = Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Threads of every runtime, and how time is read.

    A single thread is timed by the time that the process computes, which other processes do not disturb.
    """

    threads: int

    def timed(self, run: Run) -> float:
        """Seconds of one run."""
        now = time.process_time if self.threads == 1 else time.perf_counter
        started = now()
        run()
        return now() - started


def serve_rows() -> list[Row]:
    """For each model and runtime the ratio of times, then the share of the machine's matrix rate of the best."""
    import torch

    clock = Clock(threads=torch.get_num_threads())
    return [row for make in PEERS for row in _rows(make(), clock)]


def _rows(peer: Peer, clock: Clock) -> list[Row]:
    rows, best = [], float("inf")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = _built(peer, Path(folder)), Path(folder) / "theirs.onnx"
        export(peer, theirs)
        for runtime, target, load in (("ONNX Runtime", "onnx", onnx_runtime), ("OpenVINO", "openvino", openvino)):
            mine = load(ours[target], {name: tensor.numpy() for name, tensor in peer.ours.items()}, clock.threads)
            other = load(theirs, {name: tensor.numpy() for name, tensor in peer.theirs.items()}, clock.threads)
            row, seconds = compare(f"{peer.name}, {runtime}", mine, other, clock)
            rows.append(row)
            best = min(best, seconds)
        rows.append(_share(peer, best, clock))
    return rows


def _built(peer: Peer, folder: Path) -> dict[str, Path]:
    """The files of our artifacts, with the peer's weights."""
    import archspec

    weights = {name: tensor.detach().contiguous() for name, tensor in peer.model.state_dict().items()}
    bundle = archspec.build(peer.spec, folder / "bundle", weights=weights, targets=["onnx", "openvino"])
    return {entry.target: bundle.path / entry.files[0] for entry in bundle.manifest.artifacts}


def export(peer: Peer, path: Path) -> None:
    """The peer's model as torch exports it, at the opset of ours, with the same axes open."""
    import torch
    from torch.export import Dim

    from archspec.engines.engine import OPSET

    class Alone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = peer.model

        def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.model(**dict(zip(peer.theirs, arguments, strict=True)))[0]
            return result

    batch, tokens = Dim("batch", min=1, max=64), Dim("tokens", min=1, max=512)
    inputs = tuple(tensor.repeat(2, *[1] * (tensor.ndim - 1)) for tensor in peer.theirs.values())
    axes = tuple({0: batch} if tensor.ndim == 4 else {0: batch, 1: tokens} for tensor in inputs)
    with torch.no_grad():
        made = torch.onnx.export(
            Alone(),
            inputs,
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=(axes,),
            input_names=list(peer.theirs),
            output_names=["out"],
            verbose=False,
        )
    assert made is not None
    made.save(path)


def onnx_runtime(path: Path, arrays: Mapping[str, Any], threads: int) -> Run:
    """One run of an ONNX file in ONNX Runtime."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    known = {port.name: arrays.get(port.name) for port in session.get_inputs()}
    given = {name: np.zeros((1, 128), dtype=np.int64) if array is None else array for name, array in known.items()}
    return lambda: session.run(None, given)[0]


def openvino(path: Path, arrays: Mapping[str, Any], threads: int) -> Run:
    """One run of a network in OpenVINO, which reads its own form and ONNX."""
    import numpy as np
    from openvino import Core

    from archspec.engines.targets.openvino import PROPERTIES

    core = Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {**PROPERTIES, "INFERENCE_NUM_THREADS": threads})
    request = compiled.create_infer_request()
    known = {port.get_any_name(): arrays.get(port.get_any_name()) for port in compiled.inputs}
    given = {name: np.zeros((1, 128), dtype=np.int64) if array is None else array for name, array in known.items()}
    return lambda: request.infer(given)[0]


def compare(name: str, ours: Run, theirs: Run, clock: Clock) -> tuple[Row, float]:
    """Three blocks of alternating runs, and our median in seconds."""
    ratios, mine, other = [], [], []
    difference = abs(ours() - theirs()).max()
    for _ in range(BLOCKS):
        clock.timed(ours), clock.timed(theirs)
        runs = [(clock.timed(ours), clock.timed(theirs)) for _ in range(RUNS)]
        a, b = (list(column) for column in zip(*runs, strict=True))
        ratios.append(median(a) / median(b))
        mine, other = mine + a, other + b
    row = Row(
        what=f"{name}: ours / Hugging Face's export",
        value=median(ratios),
        unit="x",
        bound=1.05,
        detail=f"blocks {', '.join(f'{ratio:.3f}' for ratio in ratios)}; ours {spread(mine)}, theirs {spread(other)}; "
        f"largest difference {difference:.1e}",
    )
    return row, median(mine)


def _share(peer: Peer, seconds: float, clock: Clock) -> Row:
    """The best artifact's FLOPs a second, as a share of what a product of matrices reaches here and now."""
    import archspec
    from archspec.analyses.cost import cost

    sizes = {"batch": 1, "length": 128}
    flops = cost(archspec.load(peer.spec).graph).flops.value(sizes)
    rate = matrix_rate(clock)
    return Row(
        what=f"{peer.name}, best artifact's share of the machine's matrix rate",
        value=100 * flops / seconds / rate,
        unit="%",
        detail=f"{flops / 1e9:.1f} GFLOP in {seconds * 1e3:.1f} ms; matrices reach {rate / 1e9:.0f} GFLOP/s; "
        f"{clock.threads} threads",
    )


def matrix_rate(clock: Clock) -> float:
    """FLOPs a second of a product of float32 matrices: the median of several."""
    import torch

    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    a @ b
    return 2 * SIDE**3 / median([clock.timed(lambda: a @ b) for _ in range(RUNS)])
