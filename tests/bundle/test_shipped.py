"""Every kind of shipped architecture goes the whole way, at its reduced size."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import archspec


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer-base", "gpt2", "vit-b16", "bert-base"])
def test_a_shipped_spec_becomes_a_bundle(name: str, tmp_path: Path) -> None:
    spec = archspec.load(name, reduced=True)
    engines = ["tensorrt-rtx:sm89"] if find_spec("tensorrt_rtx") else []
    bundle = archspec.build(spec, tmp_path / "bundle", targets=["onnx", *engines])
    assert [entry.verified for entry in bundle.manifest.artifacts] == [
        "executed",
        *["network-verified-cpu" for _ in engines],
    ]
    assert {trial.reference for trial in bundle.report.trials} == {"module", "interpreter"}
    assert max(one.largest for trial in bundle.report.trials for one in trial.differences) < 1e-5
    assert archspec.load(tmp_path / "bundle" / "spec.yaml").inputs.keys() == spec.inputs.keys()
