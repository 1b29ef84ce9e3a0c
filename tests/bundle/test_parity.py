"""An artifact that computes another function never gets into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from archspec.bundle.parity import Contest
from archspec.bundle.work import Work
from archspec.bundle.worker import compare
from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.engines.build import BuiltArtifact
from archspec.engines.engine import Artifact, Target


def job(bundle: Path) -> dict[str, Any]:
    work = Work(
        folder=bundle,
        checked=accepted(bundle / "spec.yaml"),
        dtype="float32",
        profiles=(),
        layout="bundle",
        cache=False,
        benchmark=False,
        progress=lambda stage, fraction: None,
    )
    artifact = Artifact(target="onnx", dtype="float32", files=("model.onnx",), tool="onnxruntime", version="1")
    return work._comparison(
        BuiltArtifact(target=Target(engine="onnx"), artifact=artifact, folder=Path("artifacts/onnx"))
    )


def test_a_bias_that_was_lost_is_found(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy)
    assert len(compare(job(copy))["trials"]) == 4
    weights = load_file(copy / "model.safetensors")
    weights["states.layers.1.attention.v.bias"] = np.full(16, 0.5, dtype=np.float32)
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(SpecError) as raised:
        compare(job(copy))
    found = raised.value.diagnostics
    assert {one.code for one in found} == {"E609"}
    assert any("onnx differs from the module by" in one.message and "`states`" in one.message for one in found)
    assert any("onnx differs from the interpreter" in one.message for one in found)


@pytest.mark.parametrize("where", ["artifact", "module"])
def test_an_artifact_that_is_not_finite_is_refused(where: str, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN on both sides is no parity."""
    monkeypatch.chdir(copy)
    made = job(copy)
    weights = load_file(copy / "model.safetensors")
    weights["states.layers.1.attention.v.bias"] = np.full(16, np.nan, dtype=np.float32)
    save_file(weights, copy / "model.safetensors")
    if where == "artifact":
        monkeypatch.setattr(Contest, "_found", lambda self, runner, sizes: self._expected([sizes])[0])
    with pytest.raises(SpecError) as raised:
        compare(made)
    assert {one.code for one in raised.value.diagnostics} == {"E609"}
    assert all("not finite" in one.notes[0] for one in raised.value.diagnostics)
