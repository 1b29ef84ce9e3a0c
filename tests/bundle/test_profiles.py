"""An artifact that was built for some sizes is run, compared and judged at those alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.bundle.bundle import Bundle
from archspec.bundle.parity import Contest, run_module
from archspec.bundle.report import ParityTrial
from archspec.bundle.verify import verify_bundle
from archspec.diagnostics import SpecError
from archspec.engines.module import load_module
from archspec.engines.profiles import Profile
from archspec.engines.program import Program
from archspec.engines.registry import check_profiles, target_of
from archspec.engines.targets.onnx import Onnx
from archspec.engines.targets.tensorrt_rtx import TensorRTRTX
from archspec.model.inputs import prepare
from archspec.model.ports import interface_of
from archspec.model.written import DimRange, InputPort, WrittenInterface

ALONE: Profile = {"batch": (1, 1, 1), "tokens": (1, 12, 32)}
SHORT: Profile = {"batch": (2, 4, 8), "tokens": (3, 5, 9)}
ENGINE = "tensorrt-rtx:sm89"


def bound(built: Path, monkeypatch: pytest.MonkeyPatch, *profiles: Profile) -> Bundle:
    """The bundle, its network of ONNX in the place of an engine with profiles, on a host that opens it."""
    monkeypatch.setattr(TensorRTRTX, "obstacle", lambda *_: None)
    monkeypatch.setattr(TensorRTRTX, "open", lambda self, path, interface: Onnx().open(path, interface))
    bundle = archspec.open(built)
    (entry,) = bundle.manifest.artifacts
    ranges = [{name: list(sizes) for name, sizes in profile.items()} for profile in profiles]
    engine = entry.model_copy(update={"target": ENGINE, "profiles": ranges})
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"artifacts": [engine, entry]}))


def ids(batch: int, tokens: int) -> dict[str, np.ndarray]:
    return {"ids": np.ones((batch, tokens), dtype=np.int64)}


def test_sizes_that_no_profile_has_are_refused(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bound(built, monkeypatch, ALONE, SHORT)
    for batch, tokens in ((1, 1), (1, 32), (2, 3), (8, 9)):
        assert bundle.run(ids(batch, tokens), artifact=ENGINE)["states"].shape == (batch, tokens, 16)
    for batch, tokens in ((2, 2), (2, 10), (8, 32)):
        with pytest.raises(SpecError) as raised:
            bundle.run(ids(batch, tokens), artifact=ENGINE)
        (found,) = raised.value.diagnostics
        assert (found.code, found.message) == (
            "E723",
            f"the artifact was not built for the sizes batch={batch}, tokens={tokens}",
        )
        assert found.notes == ("batch=1:1:1, tokens=1:12:32", "batch=2:4:8, tokens=3:5:9")
        assert bundle.run(ids(batch, tokens), artifact="onnx")["states"].shape == (batch, tokens, 16)


def test_a_dim_that_no_input_tells_has_a_size_of_the_profile() -> None:
    """A default is as large as the profile wants, where its size is nobody else's."""
    interface = WrittenInterface(
        dims={"batch": DimRange(min=1, typical=2, max=8), "extra": DimRange(min=1, typical=2, max=8)},
        inputs={
            "x": InputPort(type="float[batch, 3]"),
            "bias": InputPort(type="float[extra]", default=0.5),
        },
        outputs={"y": "float[batch, 3]"},
    ).read()
    x = np.ones((1, 3), dtype=np.float32)
    profiles = [{"batch": (2, 2, 2), "extra": (1, 1, 1)}, {"batch": (1, 1, 1), "extra": (4, 5, 6)}]
    assert prepare(interface, {"x": x}, "float32", profiles)["bias"].shape == (5,)
    assert prepare(interface, {"x": x}, "float32")["bias"].shape == (2,)


def test_what_is_compared_lies_within_the_profiles(copy: Path) -> None:
    spec = archspec.load(copy / "spec.yaml")
    program = Program(
        source=copy / "model.py",
        module="Tiny",
        weights=copy / "model.safetensors",
        interface=interface_of(spec),
        profiles=(ALONE, SHORT),
    )
    tried: list[tuple[int, ...]] = []

    class Runner:
        def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
            tried.append(inputs["ids"].shape)
            return run_module(load_module(program, "float32"), program, inputs)

    def shapes(target: str) -> set[tuple[int, ...]]:
        tried.clear()
        made = Contest(target=target, dtype="float32", opened=Runner, program=program, graph=spec.graph).trials()
        assert {trial.reference for trial in made if isinstance(trial, ParityTrial)} == {"module", "interpreter"}
        return set(tried)

    assert shapes(ENGINE) == {(1, 1), (1, 3), (1, 12), (2, 3), (3, 5), (4, 5)}
    assert shapes("onnx") == {(1, 1), (3, 5), (2, 12)}


@pytest.mark.slow
def test_each_profile_is_held_to_the_contract(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[int, int]] = set()
    run = Bundle.run

    def watched(self: Bundle, inputs: Mapping[str, Any], artifact: str | None = None) -> dict[str, Any]:
        if artifact == ENGINE:
            seen.add(inputs["ids"].shape)
        return run(self, inputs, artifact)

    monkeypatch.setattr(Bundle, "run", watched)
    reports = list(verify_bundle(bound(built, monkeypatch, ALONE, SHORT)))
    subjects = [report.subject.partition(": ")[2] for report in reports]
    assert subjects == [
        "model.py",
        f"{ENGINE}, float32, batch=1:1:1, tokens=1:12:32",
        f"{ENGINE}, float32, batch=2:4:8, tokens=3:5:9",
        "onnx, float32",
    ]
    assert all(report.holds for report in reports)
    assert {(1, 1), (1, 32), (2, 3), (8, 9)} <= seen
    assert all(batch == 1 or (2 <= batch <= 8 and 3 <= tokens <= 9) for batch, tokens in seen)


def test_torch_tensorrt_compiles_for_one_profile_on_its_host() -> None:
    check_profiles([target_of("torch-tensorrt:sm89"), target_of("torch-tensorrt"), target_of("onnx")], 1)
    check_profiles([target_of("torch-tensorrt:sm89"), target_of("onnx")], 2)
    with pytest.raises(SpecError) as raised:
        check_profiles([target_of("torch-tensorrt"), target_of("onnx")], 2)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E625", "`torch-tensorrt` supports one profile, got 2")
