"""TensorRT networks of a decoder's step, computed on the CPU, and engines of them, built without a GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.bundle import step_parity
from archspec.bundle.parity import float_arrays
from archspec.bundle.report import TOLERANCE, OutputDifference, ParityTrial
from archspec.bundle.sources import texts_of
from archspec.bundle.step_network import StepNetworks, check_step_network, network_contest, network_steps
from archspec.bundle.step_parity import StepContest, built_steps
from archspec.bundle.step_verify import verify_steps
from archspec.bundle.step_work import StepWork, step_profiles
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.engines.engine import NetworkEngine
from archspec.engines.export import export_onnx
from archspec.engines.network.plan import NetworkLayer, NetworkPlan, NetworkTensor
from archspec.engines.profiles import declared
from archspec.engines.program import Program
from archspec.engines.registry import network_engine, read_targets
from archspec.engines.steps import BuiltSteps
from archspec.lower.modules import compile
from archspec.lower.naming import class_name
from archspec.lower.step_programs import StepPart, step_programs
from archspec.model.ports import DTypeName, interface_of
from archspec.model.runner import Array, Arrays
from archspec.spec.claims import load_claims
from tests.bundle.test_steps import LAYOUTS, TINY, latents, silent
from tests.engines.network.mutations import changed, maker
from tests.steps import operators_read_once, steps_here

trt = pytest.importorskip("tensorrt_rtx")
from tests.engines.rtx.test_running import Stand, memory  # noqa: E402, F401

THREE = "tensorrt-rtx:sm86,sm89,sm120"


class Lowered:
    """The step of a spec, exported for TensorRT in a folder, with random weights."""

    def __init__(self, folder: Path, source: str | Path, dtype: DTypeName = "float32", **options: Any) -> None:
        self.folder, self.dtype = folder, dtype
        self.checked = accepted(source, **options)
        torch.manual_seed(0)
        state = compile(self.checked).state_dict()
        # Values that are large enough for what is read to matter.
        state = {name: 4 * one if one.is_floating_point() else one for name, one in state.items()}
        save_file({name: one.contiguous().clone() for name, one in state.items()}, folder / "model.safetensors")
        for name, text in texts_of(self.checked).items():
            (folder / name).write_text(text)
        self.whole = Program(
            source=Path("model.py"),
            module=class_name(self.checked.spec.name),
            weights=Path("model.safetensors"),
            interface=interface_of(self.checked.spec),
            profiles=(declared(self.checked.spec.dims.values()),),
        )
        found = step_programs(self.checked)
        assert found is not None
        self.programs = found
        self.engine: NetworkEngine = network_engine("tensorrt-rtx")

    @property
    def work(self) -> StepWork:
        return StepWork(
            folder=self.folder,
            whole=self.whole,
            programs=self.programs,
            dtype=self.dtype,
            recipe=None,
            progress=silent,
        )

    def networks(self, part: StepPart = "step") -> StepNetworks:
        made = {one.part: self.work._program(one).inside(self.folder) for one in self.programs.all}
        for one in self.programs.all:
            made[one.part].source.write_text(one.text)
        once = made.get("once") if part == "step" else None
        whole = self.whole.inside(self.folder)
        return StepNetworks(
            program=made[part], whole=whole, once=once, dtype=self.dtype, spec=self.folder / "spec.yaml"
        )

    def exported(self, part: StepPart = "step") -> Path:
        path = self.folder / f"{part}.onnx"
        with operators_read_once():
            export_onnx(self.networks(part).program, self.dtype, path)
        return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Lowered:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.yaml").write_text(TINY)
    return Lowered(folder, folder / "tiny.yaml")


@pytest.fixture(scope="module")
def plan(tiny: Lowered) -> NetworkPlan:
    return tiny.engine.plan(tiny.networks().program, tiny.exported(), "float32")


def judged(tiny: Lowered, plan: NetworkPlan, opened: Callable[[], BuiltSteps] | None = None) -> OutputDifference:
    made = opened or (lambda: network_steps(plan, tiny.networks(), tiny.programs))
    contest = StepContest(
        artifact="network",
        dtype="float32",
        opened=lambda: built_steps(made(), tiny.checked),
        program=tiny.whole.inside(tiny.folder),
        checked=tiny.checked,
    )
    (trial,) = contest.trials()
    assert not isinstance(trial, str)
    (difference,) = trial.differences
    return difference


def test_the_network_has_caches_and_attention_under_causality(plan: NetworkPlan) -> None:
    kinds = Counter(step.kind for step in plan.steps)
    assert (kinds["KV_CACHE_UPDATE"], kinds["ATTENTION_INPUT"]) == (4, 2)
    assert not kinds["SCATTER"] + kinds["SOFTMAX"]
    attentions = [step for step in plan.steps if step.kind == "ATTENTION_INPUT"]
    assert {step.attributes["causal_kind"] for step in attentions} == {"LOWER_RIGHT"}
    # Grouped heads stay grouped: keys of two heads, from the cache itself.
    keys = [plan.wires[step.inputs[1] or 0] for step in attentions]
    assert [one.shape for one in keys] == [(-1, 2, 32, 8)] * 2


def test_every_position_equals_the_full_forward(tiny: Lowered, plan: NetworkPlan) -> None:
    found = judged(tiny, plan)
    assert found.scale > 0.1
    assert found.largest < 1e-5


def later(plan: NetworkPlan, step: NetworkLayer) -> NetworkPlan:
    """The layer adds one to its first input, which are integers [rows]."""
    count = len(plan.wires)
    (number, *others), wire = step.inputs, plan.wires[step.inputs[0] or 0]
    one = NetworkLayer(
        name="one", kind="CONSTANT", attributes={"shape": (1,), "weights": np.array([1])}, inputs=(), outputs=(count,)
    )
    more = NetworkLayer(
        name="more", kind="ELEMENTWISE", attributes={"op": "SUM"}, inputs=(number, count), outputs=(count + 1,)
    )
    place = plan.steps.index(step)
    steps = (*plan.steps[:place], one, more, replace(step, inputs=(count + 1, *others)), *plan.steps[place + 1 :])
    wires = (*plan.wires, NetworkTensor(name="one", dtype=wire.dtype, shape=(1,)), replace(wire, name="more"))
    return replace(plan, steps=steps, wires=wires)


def with_steps(plan: NetworkPlan, change: Callable[[NetworkLayer], NetworkLayer]) -> NetworkPlan:
    return replace(plan, steps=tuple(map(change, plan.steps)))


def of_kind(plan: NetworkPlan, kind: str) -> NetworkLayer:
    return next(step for step in plan.steps if step.kind == kind)


def before(plan: NetworkPlan, number: int | None, kind: str, op: str) -> NetworkLayer:
    """The nearest layer of a kind that a wire is made by, through its first inputs."""
    step = maker(plan, number)
    while step is not None and not (step.kind == kind and step.attributes["op"] == op):
        step = maker(plan, step.inputs[0])
    assert step is not None
    return step


def written_late(plan: NetworkPlan) -> NetworkPlan:
    return later(plan, before(plan, of_kind(plan, "KV_CACHE_UPDATE").inputs[2], "ELEMENTWISE", "MIN"))


def upper_left(plan: NetworkPlan) -> NetworkPlan:
    return with_steps(plan, lambda step: changed(step, causal_kind="UPPER_LEFT") if "ATTENTION" in step.kind else step)


def before_the_update(plan: NetworkPlan) -> NetworkPlan:
    added = before(plan, of_kind(plan, "ATTENTION_INPUT").inputs[6], "ELEMENTWISE", "SUM")
    early = replace(added, kind="IDENTITY", attributes={}, inputs=(added.inputs[0],))
    return with_steps(plan, lambda step: early if step is added else step)


def stale(plan: NetworkPlan) -> NetworkPlan:
    """The first attention reads its keys from the cache as it was."""
    read, write = of_kind(plan, "ATTENTION_INPUT"), of_kind(plan, "KV_CACHE_UPDATE")
    assert write.outputs[0] == read.inputs[1]
    old = replace(read, inputs=(read.inputs[0], write.inputs[0], *read.inputs[2:]))
    return with_steps(plan, lambda step: old if step is read else step)


@pytest.mark.parametrize("mutate", [written_late, upper_left, before_the_update, stale])
def test_a_mistake_in_the_network_is_found(
    tiny: Lowered, plan: NetworkPlan, mutate: Callable[[NetworkPlan], NetworkPlan]
) -> None:
    assert judged(tiny, mutate(plan)).largest > 1e-3


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lowered, NetworkPlan]:
    folder = tmp_path_factory.mktemp("half")
    (folder / "tiny.yaml").write_text(TINY)
    lowered = Lowered(folder, folder / "tiny.yaml", "bfloat16")
    return lowered, lowered.engine.plan(lowered.networks().program, lowered.exported(), "bfloat16")


class Rounded:
    """Steps, and forwards of the whole model, that are further off where the id is 7."""

    def __init__(self, inner: Any, error: float = 3.0) -> None:
        self.inner, self.error = inner, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def run(self, inputs: Arrays) -> dict[str, Array]:
        found = self.inner.run(inputs)
        return {name: one + self.error * (inputs["ids"] == 7)[..., None] for name, one in found.items()}

    def step(self, state: Any, fed: Arrays, counts: Array) -> tuple[Array, Any]:
        output, after = self.inner.step(state, fed, counts)
        return output + self._off(fed, np.maximum(counts - 1, 0)), after

    def peek(self, state: Any, fed: Arrays, counts: Array, places: Array) -> Array:
        return self.inner.peek(state, fed, counts, places) + self._off(fed, places)

    def _off(self, fed: Arrays, places: Array) -> Array:
        return self.error * (fed["ids"][np.arange(len(places)), places] == 7)[:, None]


@pytest.mark.parametrize("mutate", [None, written_late, upper_left, before_the_update, stale])
def test_half_precision_excuses_a_step_that_equals_the_reference_in_float64(
    half: tuple[Lowered, NetworkPlan],
    mutate: Callable[[NetworkPlan], NetworkPlan] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lowered, plan = half
    plan = plan if mutate is None else mutate(plan)
    contest = network_contest("tensorrt-rtx", plan, lowered.networks(), lowered.checked, lowered.programs)
    off = replace(contest, opened=lambda: {"": Rounded(contest.opened()[""])})
    # Rounding is then what the emitted module in half precision does as well.
    made = step_parity.module_runner
    monkeypatch.setattr(step_parity, "module_runner", lambda *given: Rounded(made(*given)))
    twin, rounded, *notes = off.trials()
    assert isinstance(twin, ParityTrial) and isinstance(rounded, ParityTrial)
    assert (twin.artifact, twin.dtype) == ("network of step of tensorrt-rtx, computed in float64", "float32")
    (exact,), (found,) = twin.differences, rounded.differences
    assert exact.allowed("float32") == found.allowed("bfloat16") == bool(notes) == (mutate is None)
    if mutate is None:
        assert 0.2 * max(1.0, found.scale) < found.largest <= found.bound("bfloat16")


def test_half_precision_does_not_excuse_a_model_that_it_moves_everywhere(
    half: tuple[Lowered, NetworkPlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    lowered, plan = half
    monkeypatch.setitem(TOLERANCE, "bfloat16", 5e-3)
    contest = network_contest("tensorrt-rtx", plan, lowered.networks(), lowered.checked, lowered.programs)
    twin, rounded = contest.trials()
    assert isinstance(twin, ParityTrial) and isinstance(rounded, ParityTrial)
    assert twin.differences[0].allowed("float32")
    assert not rounded.differences[0].allowed("bfloat16")


def test_a_cache_larger_than_the_engine_has_is_refused(tiny: Lowered, plan: NetworkPlan) -> None:
    steps = network_steps(plan, tiny.networks(), tiny.programs)
    with pytest.raises(SpecError) as raised:
        steps.new_cache(1, 33, {}, {"batch": 1, "length": 33})
    (found,) = raised.value.diagnostics
    assert found.message == "the cache of the artifact has room for 32 positions, not for 33"


def test_profiles_are_one_for_a_position_and_one_for_prompts(tiny: Lowered) -> None:
    wide = {"batch": (1, 2, 8), "length": (1, 12, 24)}
    narrow = {"batch": (1, 1, 1), "length": (1, 4, 16)}
    assert step_profiles(tiny.programs, [wide, narrow]) == (
        {"batch": (1, 2, 8), "length": (24, 24, 24), "new": (1, 1, 1)},
        {"batch": (1, 2, 8), "length": (24, 24, 24), "new": (1, 12, 24)},
        {"batch": (1, 1, 1), "length": (24, 24, 24), "new": (1, 1, 1)},
        {"batch": (1, 1, 1), "length": (24, 24, 24), "new": (1, 4, 16)},
    )


def test_profiles_of_different_capacities_are_refused(tiny: Lowered) -> None:
    step = tiny.networks().program
    other = {**step.profiles[0], "length": (16, 16, 16)}
    with pytest.raises(SpecError) as raised:
        tiny.engine.plan(replace(step, profiles=(*step.profiles, other)), tiny.folder / "step.onnx", "float32")
    (found,) = raised.value.diagnostics
    assert found.code == "E606"
    assert found.message.endswith("different capacities: 16, 32")


@pytest.mark.usefixtures("plan")
def test_a_profile_of_fewer_positions_makes_a_smaller_cache(tiny: Lowered) -> None:
    short = copy(tiny)
    short.whole = replace(tiny.whole, profiles=({"batch": (1, 2, 8), "length": (1, 4, 10)},))
    found = short.engine.plan(short.networks().program, tiny.folder / "step.onnx", "float32")
    (cache,) = {found.wires[number].shape for number in found.inputs if "attention" in found.wires[number].name}
    assert cache is not None
    assert cache[2] == 10
    _, (trial,) = check_step_network(short.engine, tiny.folder / "step.onnx", short.networks())
    assert not isinstance(trial, str)
    assert trial.sizes["length"] == 10
    assert trial.differences[0].largest < 1e-5


@dataclass
class StepStand(Stand):
    """Stands for the engine of a step, whose caches have one size; `bound` are the addresses of all runs."""

    bound: list[dict[str, int]] = field(default_factory=list)

    def create_execution_context(self, config: Any) -> StepStand:
        return StepStand(plan=self.plan, profiles=self.profiles, chosen=self.chosen, bound=self.bound)

    def execute_async_v3(self, stream: int) -> bool:
        self.bound.append(dict(self.addresses))
        return super().execute_async_v3(stream)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        declared = {wire.name: wire.shape for number, wire in enumerate(self.plan.wires) if number in self.plan.inputs}
        shape = declared.get(name) or super().get_tensor_shape(name)
        assert shape is not None
        return shape


@pytest.mark.usefixtures("memory")
def test_an_engine_writes_its_caches_in_place(
    tiny: Lowered, plan: NetworkPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = StepStand(plan=plan, profiles=tiny.networks().program.ranges())
    made = {"__init__": lambda *_: None, "deserialize_cuda_engine": lambda *_: stand}
    monkeypatch.setattr(trt, "Runtime", type("Runtime", (), made))
    file = tiny.folder / "model.engine"
    file.write_bytes(b"engine")
    session = tiny.engine.open_step(file, tiny.programs.step.interface, tiny.programs.updates)
    assert session.capacity == 32
    steps = BuiltSteps(programs=tiny.programs, dtype="float32", step=session, once=None)
    found = judged(tiny, plan, lambda: steps)
    assert found.scale > 0.1
    assert found.largest < 1e-5
    # A single new position runs in the profile made for it, chunks in the other.
    assert sorted(stand.chosen) == [0, 1]
    for places in stand.bound:
        assert all(places[old] == places[new] for old, new in tiny.programs.updates.items())


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_engines_in_half_precision(tmp_path: Path, dtype: DTypeName) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    with steps_here():
        ((built,), _) = Lowered(tmp_path, tmp_path / "tiny.yaml", dtype).work.build(read_targets([THREE], dtype))
    assert [len((tmp_path / one.folder / "model.engine").read_bytes()) > 10_000 for one in built.built] == [True] * 3
    # The state has the dtype of the engine.
    ((found, trials),) = [(one.result["network"], one.result["trials"]) for one in built.inspections[0]._found]
    assert found["layers"]["kv_cache_update"] == 4
    assert {one["artifact"]: one["dtype"] for one in trials} == {"network of step of tensorrt-rtx": dtype}


@pytest.mark.slow
def test_a_bundle_tells_how_far_its_step_is_verified(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    with steps_here():
        bundle = archspec.build(tmp_path / "tiny.yaml", tmp_path / "built", targets=["tensorrt-rtx:sm89"], cache=False)
    (program,) = bundle.manifest.programs
    (entry,) = program.artifacts
    assert entry.verified == "network-verified-cpu"
    assert [profile["new"] for profile in entry.profiles] == [[1, 1, 1], [1, 12, 32]]
    assert entry.network in {one.digest for one in bundle.report.networks}
    assert "network of step of tensorrt-rtx" in {trial.artifact for trial in bundle.report.trials}
    weights = float_arrays(bundle.path / "model.safetensors")
    (report,) = verify_steps(bundle, load_claims(bundle.path / "spec.yaml"), weights, True, 0)
    assert report.findings[0].detail.endswith("; verified in the build: network-verified-cpu")


@pytest.mark.slow
@pytest.mark.parametrize("mask", LAYOUTS)
def test_latents(mask: str, tmp_path: Path) -> None:
    case = Lowered(tmp_path, latents(tmp_path, mask))
    plan = case.engine.plan(case.networks().program, case.exported(), "float32")
    found, kinds = judged(case, plan), Counter(step.kind for step in plan.steps)
    assert found.scale > 0.1
    assert found.largest < 2e-5
    # One cache a layer; its attention takes keys and values of one size alone.
    assert (kinds["KV_CACHE_UPDATE"], kinds["ATTENTION_INPUT"], kinds["SOFTMAX"]) == (2 * (mask == "causal"), 0, 2)


LAYERS = {
    "llama-3.2-1b": {"kv_cache_update": 4, "attention_input": 2},
    # Windows are kept in rings, which no cache layer writes, and biases make an explicit mask.
    "mistral-7b": {"scatter": 4, "softmax": 2},
    "t5-small": {"kv_cache_update": 4, "softmax": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_shipped_decoders(tmp_path: Path, name: str) -> None:
    case = Lowered(tmp_path, name, reduced=True)
    entry, trials = check_step_network(case.engine, case.exported(), case.networks())
    kinds = ("kv_cache_update", "attention_input", "scatter", "softmax")
    assert {kind: entry.layers[kind] for kind in kinds if kind in entry.layers} == LAYERS[name]
    (trial,) = trials
    assert not isinstance(trial, str)
    assert trial.reference == "interpreter"
    (difference,) = trial.differences
    assert difference.scale > 0.1
    assert difference.largest < 2e-5
