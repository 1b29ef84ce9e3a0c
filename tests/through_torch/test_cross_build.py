"""Engines through Torch-TensorRT, built with no GPU: every operator converted, one engine, its network computed.

They need a CUDA build of torch and Torch-TensorRT (tools/test-torch-tensorrt), and are skipped where those are not.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import archspec
from archspec.bundle import Bundle
from archspec.bundle.inspection import spanned
from archspec.diagnostics import SpecError
from archspec.spec import load

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("torch_tensorrt") is None, reason="Torch-TensorRT is not installed here"),
]
SPECS = ("transformer-base", "vit-b16", "gpt2")
BOUNDS = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-1}
"""Largest difference of the network from the module in float32, at outputs of about 1."""


def built(tmp_path: Path, spec: str, targets: str = "torch-tensorrt:sm89", dtype: str = "float32") -> Bundle:
    return archspec.build(load(spec, reduced=True), tmp_path / "bundle", targets=(targets,), dtype=dtype)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", BOUNDS)
def test_a_spec_is_converted_whole_and_its_network_holds_the_contract(tmp_path: Path, spec: str, dtype: str) -> None:
    bundle = built(tmp_path, spec, dtype=dtype)
    (artifact,) = bundle.manifest.artifacts
    assert artifact.verified == "network-verified-cpu"
    (coverage,) = artifact.notes
    converted, total = (int(word) for word in coverage.split() if word.isdecimal())
    assert converted == total > 40
    assert coverage.endswith("into one engine")
    trials = [trial for trial in bundle.report.trials if trial.dtype == dtype]
    largest = max(one.largest for trial in trials for one in trial.differences)
    print(f"{spec} {dtype}: {coverage}; network against the interpreter {largest:.2g}")
    assert len(trials) >= 2
    assert largest <= BOUNDS[dtype]
    (network,) = bundle.report.networks
    assert network.digest == artifact.network
    assert {finding.status for finding in network.findings} == {"holds"}


def test_one_engine_each_or_one_for_both(tmp_path: Path) -> None:
    bundle = built(tmp_path, "vit-b16", "torch-tensorrt:sm80,sm86+sm89")
    engines = [tmp_path / "bundle" / artifact.files[0] for artifact in bundle.manifest.artifacts]
    assert [artifact.target for artifact in bundle.manifest.artifacts] == [
        "torch-tensorrt:sm80",
        "torch-tensorrt:sm86+sm89",
    ]
    assert all(engine.stat().st_size > 100_000 for engine in engines)


def test_a_second_build_is_the_same_to_the_byte(tmp_path: Path) -> None:
    engines = []
    for place in ("first", "second"):
        bundle = built(tmp_path / place, "vit-b16")
        (artifact,) = bundle.manifest.artifacts
        engines.append((tmp_path / place / "bundle" / artifact.files[0]).read_bytes())
    assert engines[0] == engines[1]


def test_where_in_bfloat16_keeps_its_values_only_as_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault in Torch-TensorRT is still there: without the repair, the masked guard makes no network.

    What it says has the line of the node that could not be converted.
    """
    from contextlib import nullcontext

    from archspec.engines.saved_program import save_program
    from archspec.engines.through_torch import building, lowering
    from tests.through_torch.programs import program_of

    spec = load("transformer-base", reduced=True)
    program = program_of(spec, tmp_path)
    save_program(program, "bfloat16", tmp_path / "program.pt2")
    monkeypatch.setattr(lowering, "promoting_soundly", nullcontext)
    with pytest.raises(SpecError) as caught, spanned(spec):
        building.read_plan(tmp_path / "program.pt2", program.interface, "bfloat16")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E606"
    assert any("Int32" in note for note in diagnostic.notes)
    assert "of `memory.layers.0.attention" in diagnostic.message
    assert diagnostic.primary is not None
    span = diagnostic.primary.span
    assert span.source.text.splitlines()[span.line - 1].strip() == "memory:"
