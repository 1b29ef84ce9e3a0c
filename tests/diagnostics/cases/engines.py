"""Targets, steps of a build, and networks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import archspec
from archspec.bundle import evaluating, inspection, network
from archspec.bundle.quantising import Quantisation
from archspec.bundle.rank_work import check_split
from archspec.bundle.report import OutputDifference, ParityTrial
from archspec.bundle.rows import rows_of
from archspec.bundle.triton import check_served
from archspec.engines import process
from archspec.engines.dynamic import affine
from archspec.engines.engine import Target
from archspec.engines.fork_server import Ended
from archspec.engines.genai.form import genai_form
from archspec.engines.network.execution import Execution
from archspec.engines.profiles import read_profiles
from archspec.engines.registry import engine_of, read_targets
from archspec.engines.targets import tensorrt_rtx
from archspec.model.written import DimRange, InputPort, WrittenInterface
from archspec.quantising.loss import Loss
from archspec.quantising.plan import plan_of, read_wishes
from tests.diagnostics.cases.parts import INTERFACE, Case, collected, decoder

_ALONE: Any = SimpleNamespace(by_parameter=lambda: {"logits.weight": 0.5}, by_activation=dict, by_kept=dict)
_NO_PORTS: Any = None
_LOSS = Loss(positions=4, kl=0.5, agreement=0.75, largest=2.0, scale=8.0)
_RTX = Target(engine="tensorrt-rtx", capabilities=("sm89",))


@contextmanager
def _changed(owner: Any, name: str, value: object) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, value)
        yield


def _too_small(folder: Path) -> None:
    np.savez(folder / "ids.npz", ids=np.ones((1, 4), np.int64))
    wish = Quantisation(formats=("int8",), evaluate=folder / "ids.npz", size=1000)
    archspec.build(archspec.load("gpt2", reduced=True), folder / "out", quantise=wish)


def _without_package(folder: Path) -> None:
    with _changed(tensorrt_rtx, "find_spec", lambda name: None):
        read_targets(["tensorrt-rtx:sm89"], "float32")


def _without_compiler(folder: Path) -> None:
    with _changed(os, "environ", {**os.environ, "CXX": "no-such-compiler"}):
        read_targets(["inductor"], "float32")


def _killed(folder: Path) -> None:
    ended = Ended(answer=None, code=-signal.SIGKILL, errors=("reading the network", "building"))
    process._refuse("build tensorrt-rtx:sm89", ended)


def _logged(folder: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    from archspec.engines.rtx.log import RecordingLogger

    logger = RecordingLogger()
    logger.errors.append("[graph.cpp] Error Code 4: API Usage Error\n  (ids: no dimension)")
    logger.raise_if_errors("reading the network")


def _not_affine(folder: Path) -> None:
    dims = {"rows": DimRange(min=1, typical=2, max=8), "columns": DimRange(min=1, typical=2, max=8)}
    interface = WrittenInterface(dims=dims, inputs={"x": InputPort(type="float[rows*columns, 4]")}, outputs={}).read()
    (port,) = interface.input_ports
    affine(port.type.shape[0], port)


def _apart(folder: Path) -> None:
    off = OutputDifference(output="states", largest=0.3, scale=2.5)
    trial = ParityTrial(
        artifact="onnx",
        dtype="float32",
        reference="module",
        sizes={"batch": 3, "tokens": 5},
        seed=0,
        differences=[off],
    )
    collected(trial.judge)


def _declared_otherwise(folder: Path) -> None:
    execution = SimpleNamespace(dtype=lambda wire: torch.float32)
    wire = SimpleNamespace(dtype="FLOAT", shape=(2, 4))
    step = SimpleNamespace(kind="MATRIX_MULTIPLY", __str__=None)
    Execution._declared(execution, _Named(step.kind, "the matrix multiply layer `q`"), torch.zeros(2, 3), wire)  # type: ignore[arg-type]


class _Named:
    def __init__(self, kind: str, text: str) -> None:
        self.kind, self._text = kind, text

    def __str__(self) -> str:
        return self._text.removeprefix("the ")


def _violating(folder: Path) -> None:
    finding = SimpleNamespace(
        claim="causal(output: logits, input: ids)", status="violated", detail="`logits` at [0, 0] moved by 0.5"
    )
    check = SimpleNamespace(trials=list, findings=lambda: [finding])
    engine: Any = SimpleNamespace(plan=lambda *_: None, word="tensorrt-rtx")
    program: Any = SimpleNamespace(interface=None)
    spec = decoder(folder).path
    with _changed(network, "NetworkCheck", lambda **_: check):
        network.check_network(engine, folder / "model.onnx", program, "float32", spec)


def _another_network(folder: Path) -> None:
    built: Any = SimpleNamespace(target=_RTX, artifact=SimpleNamespace(network="ab"))
    inspection.Inspection.check(SimpleNamespace(_found=[]), [built])  # type: ignore[arg-type]


def _not_kept(folder: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    from archspec.engines.rtx.settings import kept

    kept("profile of `ids`", [(1, 1), (1, 1), (1, 1)], [(1, 1), (2, 8), (8, 32)])


CASES: dict[str, Case] = {
    "E601": lambda folder: read_targets(["onx"], "float32"),
    "E602": lambda folder: read_targets(["tensorrt-rtx:sm90"], "float32"),
    "E603": lambda folder: read_targets(["onnx"], "bfloat16"),
    "E604": _without_package,
    "E605": _killed,
    "E606": _logged,
    "E607": lambda folder: archspec.generate(decoder(folder), [[1]], max_new=1),
    "E608": _not_affine,
    "E609": _apart,
    "E610": lambda folder: engine_of(_RTX).open(Path("engine.plan"), INTERFACE),
    "E611": _without_compiler,
    "E620": lambda folder: Execution.dtype(None, SimpleNamespace(name="scores", dtype="FP4")),  # type: ignore[arg-type]
    "E621": _declared_otherwise,
    "E622": _violating,
    "E623": _another_network,
    "E624": _not_kept,
    "E625": lambda folder: read_profiles(["batch=1,token=8", "tokens=32:8:16"], INTERFACE.symbols),
    "E628": lambda folder: check_split([Target(engine="onnx"), _RTX], "triton", benchmark=True),
    "E630": lambda folder: read_wishes(["int4"]),
    "E631": lambda folder: plan_of(decoder(folder).graph, read_wishes(["int8"], ["state"])),
    "E632": lambda folder: archspec.build("gpt2", folder / "out", quantise=Quantisation(keep=("source",))),
    "E633": lambda folder: list(
        rows_of(_NO_PORTS, {"x": np.ones((2, 3)), "y": np.ones((3, 3))}, "the inputs to evaluate on")
    ),
    "E634": lambda folder: evaluating._judge("quantised weights lose", _LOSS, {"kl": 0.02}, _ALONE, ""),
    "E635": lambda folder: evaluating.read_limits(["0.02"]),
    "E636": _too_small,
    "E637": lambda folder: read_wishes(["logits=int8"], ["logits"]),
    "E626": lambda folder: check_served([Target(engine="inductor")]),
    "E627": lambda folder: genai_form(archspec.load("t5-small", reduced=True)),
}
