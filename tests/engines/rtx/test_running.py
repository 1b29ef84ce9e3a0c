"""Engines on a GPU: what the runtime is told, with a runtime that computes the engine's own network in its place."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from archspec.bundle.parity import run_module
from archspec.diagnostics import SpecError
from archspec.engines.engine import Artifact, Target
from archspec.engines.export import export_onnx
from archspec.engines.host import Gpu
from archspec.engines.module import load_module
from archspec.engines.network.execution import DTYPES, Execution
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.profiles import Shapes, declared, shapes
from archspec.engines.program import Program
from archspec.engines.registry import engines
from archspec.engines.targets import tensorrt_rtx
from archspec.model.inputs import prepare
from archspec.model.ports import DTypeName
from archspec.model.samples import sample
from tests.engines.models import encoder

trt = pytest.importorskip("tensorrt_rtx")
from archspec.engines.rtx import running  # noqa: E402
from archspec.engines.rtx.parsing import parse  # noqa: E402
from archspec.engines.rtx.running import EngineRunner, OpenedEngine  # noqa: E402

EAGER = trt.DynamicShapesKernelSpecializationStrategy.EAGER
KINDS = {"FLOAT": trt.float32, "HALF": trt.float16, "BF16": trt.bfloat16, "INT64": trt.int64, "BOOL": trt.bool}


@dataclass
class Stand:
    """Stands for an engine, and each of its contexts: computes a plan on memory that it is given addresses of."""

    plan: NetworkPlan
    profiles: Sequence[Shapes]
    chosen: list[int] = field(default_factory=list)
    refuses: str = ""
    given: dict[str, tuple[int, ...]] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)

    @property
    def num_optimization_profiles(self) -> int:
        return len(self.profiles)

    def get_tensor_profile_shape(self, name: str, index: int) -> list[tuple[int, ...]]:
        return list(self.profiles[index][name])

    def get_tensor_dtype(self, name: str) -> Any:
        return KINDS[next(wire.dtype for wire in self.plan.wires if wire.name == name)]

    def create_runtime_config(self) -> Any:
        return SimpleNamespace(dynamic_shapes_kernel_specialization_strategy=None)

    def create_execution_context(self, config: Any) -> Stand:
        assert config.dynamic_shapes_kernel_specialization_strategy == EAGER
        return Stand(plan=self.plan, profiles=self.profiles, chosen=self.chosen, refuses=self.refuses)

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        self.chosen.append(index)
        return self.refuses != "profile"

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.given[name] = shape
        return self.refuses != "shape"

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._computed()[name].shape)

    def execute_async_v3(self, stream: int) -> bool:
        for name, tensor in self._computed().items():
            ctypes.memmove(self.addresses[name], tensor.contiguous().data_ptr(), tensor.nbytes)
        return self.refuses != "run"

    def _computed(self) -> dict[str, torch.Tensor]:
        return Execution(self.plan).run({name: self._read(name, shape) for name, shape in self.given.items()})

    def _read(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        dtype = DTYPES[next(wire.dtype for wire in self.plan.wires if wire.name == name)]
        tensor = torch.empty(shape, dtype=dtype)
        ctypes.memmove(tensor.data_ptr(), self.addresses[name], tensor.nbytes)
        return tensor


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor's memory in place of a GPU's."""
    monkeypatch.setattr(running, "DEVICE", "cpu")
    monkeypatch.setattr(running, "new_stream", lambda: None)
    monkeypatch.setattr(running, "current_stream", lambda: 0)
    monkeypatch.setattr(tensorrt_rtx, "this_gpu", lambda: Gpu(name="a card", capability="sm89"))


def narrow(program: Program, *profiles: Mapping[str, tuple[int, int, int]]) -> list[Shapes]:
    interface = program.interface
    return [shapes(interface.input_ports, {**declared(interface.symbols), **profile}) for profile in profiles]


def engine(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: DTypeName = "float32",
    profiles: Sequence[Any] = ({},),
    **more: Any,
) -> tuple[Program, Stand, Path]:
    """A program, what stands for its engine, and the file that the runtime opens as that."""
    program, onnx, file = encoder(folder).inside(folder), folder / "model.onnx", folder / "model.engine"
    export_onnx(program, dtype, onnx)
    plan = parse(onnx, program.interface.inputs, program.interface.outputs).plan()
    stand = Stand(plan=plan, profiles=narrow(program, *profiles), **more)
    file.write_bytes(b"engine")

    def opened(self: object, content: bytes) -> Stand | None:
        return stand if content == b"engine" else None

    monkeypatch.setattr(
        trt, "Runtime", type("Runtime", (), {"__init__": lambda *_: None, "deserialize_cuda_engine": opened})
    )
    return program, stand, file


@pytest.mark.parametrize(
    ("dtype", "bound"), [("float32", 1e-5), ("float16", 2e-2), ("bfloat16", 1e-1)], ids=["fp32", "fp16", "bf16"]
)
def test_an_engine_gives_what_the_module_gives(
    dtype: DTypeName, bound: float, memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, _, file = engine(tmp_path, monkeypatch, dtype)
    runner = engines()["tensorrt-rtx"].open(file, program.interface)
    assert isinstance(runner, EngineRunner)
    for sizes in ({"batch": 3, "tokens": 7}, {"batch": 1, "tokens": 1}):
        inputs = sample(program.interface, sizes, seed=1)
        found = runner.run(prepare(program.interface, inputs, dtype))
        expected = run_module(load_module(program, "float32"), program, inputs)
        for name, wanted in expected.items():
            assert found[name].dtype == (np.float16 if dtype == "float16" else np.float32)
            assert np.abs(found[name].astype(np.float32) - wanted).max() < bound * max(1.0, np.abs(wanted).max())


def test_the_first_profile_that_admits_the_shapes_is_taken(
    memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = ({"batch": (1, 1, 1)}, {"batch": (2, 4, 16), "tokens": (1, 8, 16)})
    program, stand, file = engine(tmp_path, monkeypatch, profiles=profiles)
    opened = OpenedEngine(file, tuple(program.interface.inputs), tuple(program.interface.outputs))

    def run(batch: int, tokens: int) -> None:
        opened(torch.zeros(batch, tokens, dtype=torch.int64), torch.ones(batch, tokens, dtype=torch.bool))

    run(1, 40), run(3, 16), run(1, 2), run(2, 1)
    assert stand.chosen == [0, 1]
    with pytest.raises(SpecError) as raised:
        run(3, 17)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E610", "no optimisation profile of model.engine admits these shapes")
    assert found.notes[0] == "`ids` has [3, 17], `valid` has [3, 17]"


@pytest.mark.parametrize(
    ("refuses", "message"),
    [
        ("profile", "TensorRT-RTX could not prepare model.engine to run"),
        ("shape", "model.engine failed on the shape of `ids`"),
        ("run", "model.engine failed on these inputs"),
    ],
)
def test_what_the_runtime_refuses_is_told(
    refuses: str, message: str, memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, _, file = engine(tmp_path, monkeypatch, refuses=refuses)
    runner = EngineRunner(file, tuple(program.interface.inputs), tuple(program.interface.outputs))
    with pytest.raises(SpecError) as raised:
        runner.run(sample(program.interface, {"batch": 2, "tokens": 3}, seed=0))
    assert [(found.code, found.message) for found in raised.value.diagnostics] == [("E610", message)]


def test_a_file_that_the_runtime_does_not_take(memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, _, file = engine(tmp_path, monkeypatch)
    file.write_bytes(b"something else")
    with pytest.raises(SpecError) as raised:
        engines()["tensorrt-rtx"].open(file, program.interface)
    assert raised.value.diagnostics[0].message == "TensorRT-RTX does not open model.engine"


def obstacle(gpu: Gpu | None, monkeypatch: pytest.MonkeyPatch, version: str = "1.7.1.116") -> str | None:
    monkeypatch.setattr(tensorrt_rtx, "this_gpu", lambda: gpu)
    monkeypatch.setattr(tensorrt_rtx, "installed", lambda: "1.7.1.116")
    target = Target(engine="tensorrt-rtx", capabilities=("sm86", "sm89"))
    made = Artifact(target=str(target), dtype="float32", files=(), tool="tensorrt_rtx", version=version)
    return engines()["tensorrt-rtx"].obstacle(target, made)


def test_which_hosts_can_open_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert obstacle(Gpu(name="NVIDIA L4", capability="sm89"), monkeypatch) is None
    hopper = Gpu(name="NVIDIA H100", capability="sm90")
    assert obstacle(hopper, monkeypatch) == "it was built for sm86 or sm89; this host has NVIDIA H100 (sm90)"
    assert obstacle(None, monkeypatch) == "it needs a GPU of sm86 or sm89, and torch finds no GPU on this host"
    assert "only with TensorRT-RTX 1.5.0.114" in (obstacle(hopper, monkeypatch, "1.5.0.114") or "")
    monkeypatch.setattr(tensorrt_rtx, "installed", lambda: None)
    target = Target(engine="tensorrt-rtx", capabilities=("sm89",))
    made = Artifact(target=str(target), dtype="float32", files=(), tool="tensorrt_rtx", version="1")
    assert "is not installed" in (engines()["tensorrt-rtx"].obstacle(target, made) or "")


def test_the_runtime_has_what_is_called() -> None:
    """Names, in the bindings that are installed: no GPU is here to call them on."""
    called = {
        trt.Runtime: ("deserialize_cuda_engine",),
        trt.ICudaEngine: (
            *("num_optimization_profiles", "get_tensor_profile_shape", "get_tensor_dtype", "create_execution_context"),
            "create_runtime_config",
        ),
        trt.IExecutionContext: (
            *("set_optimization_profile_async", "set_input_shape", "set_tensor_address", "get_tensor_shape"),
            "execute_async_v3",
        ),
    }
    assert hasattr(trt.IRuntimeConfig, "dynamic_shapes_kernel_specialization_strategy")
    assert all(hasattr(owner, name) for owner, names in called.items() for name in names)
