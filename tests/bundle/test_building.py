"""A spec to a bundle: what it holds, and that the numbers are the module's."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import archspec
from archspec.diagnostics import SpecError
from tests.steps import steps_here


def codes(raised: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [found.code for found in raised.value.diagnostics]


def module_of(bundle: Path) -> torch.nn.Module:
    spec = importlib.util.spec_from_file_location("emitted_tiny", bundle / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tiny: torch.nn.Module = module.Tiny()
    tiny.load_state_dict(load_file(bundle / "model.safetensors"), strict=True)
    return tiny.eval()


def test_what_a_bundle_holds(built: Path) -> None:
    bundle = archspec.open(built)
    assert sorted(path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()) == [
        "artifacts/onnx/model.onnx",
        "files/tokenizer.json",
        "manifest.json",
        "model.py",
        "model.safetensors",
        "report.json",
        "spec.original.yaml",
        "spec.yaml",
    ]
    manifest = bundle.manifest
    assert (manifest.name, manifest.about, manifest.module) == ("tiny", "A small encoder: two layers", "Tiny")
    assert (manifest.weights.origin, manifest.weights.seed) == ("initialised", 3)
    assert manifest.interface.outputs == {"states": "float[batch, tokens, 16]", "pooled": "float[batch, 16]"}
    (artifact,) = manifest.artifacts
    assert (artifact.target, artifact.verified, artifact.dtype) == ("onnx", "executed", "float32")
    assert artifact.profiles == [{"batch": [1, 2, 8], "tokens": [1, 12, 32]}]
    assert manifest.tools["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert bundle.file("tokenizer.json").read_text() == "{}"
    assert not [path for path in built.parent.iterdir() if path.name.startswith(".")]


def test_the_report_holds_parity_at_several_sizes(built: Path) -> None:
    report = archspec.open(built).report
    sizes = {(trial.reference, tuple(trial.sizes.values())) for trial in report.trials}
    assert sizes == {
        ("module", (1, 1)),
        ("module", (3, 5)),
        ("module", (2, 12)),
        ("interpreter", (3, 5)),
    }
    differences = [one for trial in report.trials for one in trial.differences]
    assert max(one.largest for one in differences) < 1e-5
    assert {one.output for one in differences} == {"states", "pooled"}
    assert [stage.name for stage in report.stages] == [
        "initialise weights",
        "export to ONNX",
        "build onnx",
        "compare onnx",
    ]


def test_a_bundle_computes_what_its_module_computes(built: Path) -> None:
    bundle, module = archspec.open(built), module_of(built)
    ids = np.random.default_rng(0).integers(0, 50, (4, 9))
    valid = np.arange(9) < np.array([[9], [4], [1], [0]])
    found = bundle.run({"ids": ids, "valid": valid})
    with torch.no_grad():
        expected = module(torch.from_numpy(ids), torch.from_numpy(valid))
    np.testing.assert_allclose(found["states"], expected.states.numpy(), atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(found["pooled"], expected.pooled.numpy(), atol=1e-5, rtol=1e-5)


def test_an_optional_input_may_be_left_out(built: Path) -> None:
    bundle = archspec.open(built)
    ids = np.random.default_rng(1).integers(0, 50, (2, 7), dtype=np.int32)
    left_out, given = bundle.run({"ids": ids}), bundle.run({"ids": ids, "valid": np.ones((2, 7), dtype=bool)})
    np.testing.assert_array_equal(left_out["pooled"], given["pooled"])


def test_the_resolved_spec_is_a_spec_of_its_own(built: Path, spec_file: Path) -> None:
    original, resolved = archspec.load(spec_file), archspec.load(built / "spec.yaml")
    assert resolved.about == original.about
    assert {name: str(value.type) for name, value in resolved.values.items()} == {
        name: str(value.type) for name, value in original.values.items()
    }
    assert (built / "spec.original.yaml").read_text() == spec_file.read_text()


@pytest.mark.slow
def test_given_weights_and_three_engines(tmp_path: Path, spec_file: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    state = archspec.compile(archspec.load(spec_file)).state_dict()
    generator = torch.Generator().manual_seed(1)
    weights = {name: torch.randn(tensor.shape, generator=generator) * 0.05 for name, tensor in state.items()}
    told: list[tuple[str, float | None]] = []
    with steps_here():
        bundle = archspec.build(
            spec_file,
            tmp_path / "bundle",
            weights=weights,
            targets=["onnx", "tensorrt-rtx:sm86,sm89,sm120"],
            progress=lambda stage, fraction: told.append((stage, fraction)),
        )
    assert [(entry.target, entry.verified) for entry in bundle.manifest.artifacts] == [
        ("onnx", "executed"),
        ("tensorrt-rtx:sm86", "network-verified-cpu"),
        ("tensorrt-rtx:sm89", "network-verified-cpu"),
        ("tensorrt-rtx:sm120", "network-verified-cpu"),
    ]
    assert bundle.manifest.weights.origin == "given"
    assert bundle.chosen() == "onnx"
    assert ("build tensorrt-rtx:sm120", 1.0) in told
    stored = load_file(tmp_path / "bundle" / "model.safetensors")
    assert all(torch.equal(stored[name], tensor) for name, tensor in weights.items())
    with pytest.raises(SpecError) as raised:
        bundle.run({"ids": np.zeros((1, 1), dtype=np.int64)}, artifact="tensorrt-rtx:sm89")
    assert codes(raised) == ["E610"]
    assert "tensorrt-rtx:sm120 float32" in bundle.summary()


@pytest.mark.slow
def test_half_precision_is_judged_by_its_own_rounding(tmp_path: Path, spec_file: Path) -> None:
    with steps_here():
        bundle = archspec.build(spec_file, tmp_path / "bundle", dtype="float16")
    outputs = bundle.run({"ids": np.ones((1, 3), dtype=np.int64)})
    assert outputs["states"].dtype == np.float16
    largest = max(one.largest for trial in bundle.report.trials for one in trial.differences)
    assert 1e-6 < largest < 5e-2


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"targets": ["tensorrt-rtx:sm90"]}, "E602"),
        ({"targets": ["onnx"], "dtype": "bfloat16"}, "E603"),
        ({"files": ["missing.json"]}, "E721"),
        ({"weights": {"nothing": np.zeros(3, dtype=np.float32)}}, "E521"),
    ],
)
def test_a_refused_build_leaves_nothing(tmp_path: Path, spec_file: Path, options: dict[str, Any], code: str) -> None:
    with pytest.raises(SpecError) as raised:
        archspec.build(spec_file, tmp_path / "out" / "bundle", **options)
    assert codes(raised) == [code]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_files_of_one_name_are_refused(tmp_path: Path, spec_file: Path) -> None:
    files = [tmp_path / name / "vocab.txt" for name in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(file.parent.name)
    with pytest.raises(SpecError) as raised:
        archspec.build(spec_file, tmp_path / "bundle", files=files)
    assert codes(raised) == ["E721"]


def test_the_manifest_is_plain_json(built: Path) -> None:
    data = json.loads((built / "manifest.json").read_text())
    assert data["archspec_bundle"] == 3
    assert data["files"]["model.py"]["bytes"] == (built / "model.py").stat().st_size
