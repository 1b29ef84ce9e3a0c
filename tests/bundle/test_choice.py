"""Which artifact runs: the furthest verified that the host can open, then the fastest; and why not the others."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.bundle.choice import RANKS, ArtifactChoice, choose
from archspec.bundle.manifest import ArtifactEntry, Manifest, Verified
from archspec.bundle.report import BundleReport, Timing
from archspec.diagnostics import SpecError
from archspec.engines.targets.inductor import Inductor
from archspec.engines.targets.openvino import OpenVINO


@pytest.fixture(autouse=True)
def hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that opens whatever is of OpenVINO and inductor, unless the artifact was built for the moon."""
    for engine in (OpenVINO, Inductor):
        monkeypatch.setattr(
            engine, "obstacle", lambda self, target, artifact: "built for the moon" if artifact.host == "moon" else None
        )


def entry(target: str, verified: Verified = "executed", host: str | None = None) -> ArtifactEntry:
    return ArtifactEntry(
        target=target,
        dtype="float32",
        files=["a"],
        verified=verified,
        tool="tool",
        version="1.0",
        profiles=[],
        host=host,
    )


def choice(
    built: Path, *entries: ArtifactEntry, wanted: str | None = None, times: dict[str, float] | None = None
) -> ArtifactChoice:
    manifest: Manifest = archspec.open(built).manifest.model_copy(update={"artifacts": list(entries)})
    timings = [
        Timing(artifact=name, sizes={"batch": 1}, milliseconds=milliseconds, runs=15)
        for name, milliseconds in (times or {}).items()
    ]
    return choose(manifest.artifacts, BundleReport(trials=[], skipped=[], timings=timings, stages=[]), wanted)


def test_the_ranks_go_from_built_to_benchmarked() -> None:
    assert RANKS == ("built", "network-verified-cpu", "executed", "benchmarked")


def test_what_was_verified_further_comes_first(built: Path) -> None:
    found = choice(
        built, entry("openvino", "built"), entry("onnx", "executed"), entry("inductor", "network-verified-cpu")
    )
    assert found.target == "onnx"
    assert found.reason == "executed; verified further than the others that this host can open"
    assert found.rejected == {"openvino": "it is only built", "inductor": "it is only network-verified-cpu"}


def test_what_cannot_be_opened_is_never_taken(built: Path) -> None:
    found = choice(
        built,
        entry("inductor", "benchmarked", host="moon"),
        entry("tensorrt-rtx:sm89", "network-verified-cpu"),
        entry("onnx", "built"),
    )
    assert (found.target, found.reason) == ("onnx", "built; the only one that this host can open")
    assert found.rejected["inductor"] == "built for the moon"
    assert "TensorRT-RTX" in found.rejected["tensorrt-rtx:sm89"]


def test_of_those_verified_as_far_the_faster_engine(built: Path) -> None:
    found = choice(built, entry("inductor"), entry("openvino"), entry("onnx"))
    assert (found.target, found.reason) == ("onnx", "executed; its engine is usually the fastest")
    assert found.rejected == dict.fromkeys(("inductor", "openvino"), "its engine is usually slower")
    assert choice(built, entry("onnx"), entry("inductor:cuda")).target == "inductor:cuda"


def test_measured_times_count_more_than_the_class(built: Path) -> None:
    entries = [entry(name, "benchmarked") for name in ("onnx", "openvino", "inductor")]
    found = choice(built, *entries, times={"onnx": 12.5, "openvino": 11.0, "inductor": 9.25})
    assert (found.target, found.reason) == ("inductor", "benchmarked; the fastest: 9.25 ms")
    assert found.rejected == {
        "onnx": "it took 12.5 ms when it was built",
        "openvino": "it took 11 ms when it was built",
    }
    assert str(found).splitlines()[0] == "inductor: benchmarked; the fastest: 9.25 ms"


def test_what_was_not_timed_never_beats_what_was(built: Path) -> None:
    entries = [entry(name, "benchmarked") for name in ("onnx", "openvino", "inductor")]
    found = choice(built, *entries, times={"openvino": 900.0, "inductor": 925.0})
    assert (found.target, found.reason) == ("openvino", "benchmarked; the fastest of those that were timed: 900 ms")
    assert found.rejected == {
        "onnx": "it was not timed when it was built",
        "inductor": "it took 925 ms when it was built",
    }
    alone = choice(built, *entries, times={"inductor": 925.0})
    assert (alone.target, alone.reason) == ("inductor", "benchmarked; the only one that was timed: 925 ms")


def test_one_that_is_asked_for_is_taken_if_it_can_be(built: Path) -> None:
    entries = [entry("onnx", "benchmarked"), entry("openvino", "built"), entry("inductor", "executed", host="moon")]
    found = choice(built, *entries, wanted="openvino")
    assert (found.target, found.reason) == ("openvino", "requested; built")
    with pytest.raises(SpecError) as raised:
        choice(built, *entries, wanted="inductor")
    (refused,) = raised.value.diagnostics
    assert (refused.code, refused.notes) == ("E610", ("built for the moon",))
    with pytest.raises(SpecError) as raised:
        choice(built, *entries, wanted="openvin")
    (unknown,) = raised.value.diagnostics
    assert (unknown.code, unknown.help) == ("E710", "did you mean `openvino`?")


def test_a_bundle_is_opened_for_one_artifact(built: Path) -> None:
    bundle = archspec.open(built, artifact="onnx")
    assert bundle.choice().reason == "requested; executed"
    with pytest.raises(SpecError) as raised:
        archspec.open(built, artifact="openvino")
    assert raised.value.diagnostics[0].code == "E710"


def test_without_any_that_can_be_opened_each_has_its_reason(built: Path) -> None:
    with pytest.raises(SpecError) as raised:
        choice(built, entry("inductor", host="moon"), entry("tensorrt-rtx:sm89"))
    (found,) = raised.value.diagnostics
    assert found.code == "E710"
    assert found.notes[0] == "inductor: built for the moon"
    assert found.notes[1].startswith("tensorrt-rtx:sm89: ")


@pytest.mark.parametrize("error", [ImportError("libov.so: cannot open shared object file"), OSError("bad ELF")])
def test_an_artifact_whose_runtime_does_not_import_is_passed_over(
    built: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> object:
        if name == "openvino":
            raise error
        return object()

    monkeypatch.setattr("archspec.engines.engine.import_module", broken)
    found = choice(built, entry("openvino", "benchmarked"), entry("onnx", "built"))
    assert found.target == "onnx"
    assert found.rejected == {"openvino": f"the module openvino cannot be imported: {error}"}
    with pytest.raises(SpecError) as refused:
        choice(built, entry("openvino"), entry("onnx"), wanted="openvino")
    assert refused.value.diagnostics[0].notes == (found.rejected["openvino"],)
