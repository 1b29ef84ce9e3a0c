"""The GPU check on a host without one: every row has its reason; and its logic on the processor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.steps import steps_here

SPEC = """\
archspec: 1
name: tiny
about: One table, to try the tool
dims:
  batch: [1, 2, 8]
  tokens: [1, 6, 16]
inputs:
  ids: int64[batch, tokens] < 20
graph:
  states: {block: token_embedding, ids: ids, vocab: 20, dim: 8}
outputs:
  states: float[batch, tokens, 8]
"""
TOOLS = Path(__file__).resolve().parents[2] / "tools" / "gpu"


def run(*arguments: str, file: Path) -> tuple[int, dict[str, list[dict[str, object]]]]:
    command = [sys.executable, str(TOOLS / "check.py"), *arguments, "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=file.parent, env=environment())
    assert done.returncode in (0, 1, 3), done.stderr
    return done.returncode, json.loads(file.read_text())


def environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(TOOLS.parents[1])}


@pytest.mark.slow
def test_without_a_gpu_each_row_says_why(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    status, found = run("gpt2", "--batches", "1", "8", "--dtypes", "float16", file=tmp_path / "gpu.json")
    assert status == 3
    assert len(found["timings"]) == 2 * 5
    reasons = {row["reason"] for row in found["timings"] + found["contract"]}
    assert len(reasons) == 1 and "CUDA" in str(reasons)
    assert {row["status"] for row in found["contract"]} == {"cannot run"}


@pytest.mark.slow
def test_its_logic_on_the_processor(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SPEC)
    options = ("--device", "cpu", "--no-contract", "--batches", "1", "999", "--dtypes", "float32")
    status, found = run("tiny.yaml", *options, file=tmp_path / "cpu.json")
    assert status == 0
    rows = {(row["way"], row["batch"]): row for row in found["timings"]}
    assert {row["model"] for row in found["timings"]} == {"tiny"}
    for way in ("eager", "torch.compile", "inductor"):
        assert 0 < float(str(rows[way, 1]["milliseconds"])) < 60_000
        assert float(str(rows[way, 1]["bandwidth_share"])) > 0
        assert rows[way, 999]["reason"] == "the spec admits batches up to 8"
    assert "this host has none" in str(rows["torch-tensorrt", 1]["reason"])
    assert rows["tensorrt-rtx", 1]["reason"] == "TensorRT-RTX runs on GPUs alone"


@pytest.mark.slow
def test_each_artifact_has_one_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    import contract
    from card import Card

    (tmp_path / "tiny.yaml").write_text(SPEC.replace("graph:", "reduced: {dims: {tokens: [1, 4, 8]}}\ngraph:"))
    monkeypatch.setattr(contract, "targets", lambda card: ("onnx", "openvino"))
    with steps_here():
        rows = list(contract.judged(str(tmp_path / "tiny.yaml"), Card(device="cpu"), tmp_path / "bundles"))
    assert [(row.target, row.status) for row in rows] == [("onnx", "holds"), ("openvino", "holds")]


def test_rows_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from result import Judged, Timed

    cells = Timed(
        model="gpt2", dtype="float16", batch=8, way="eager", milliseconds=2.5, matrix_share=0.5, bandwidth_share=0.25
    ).cells()
    assert cells == ("gpt2", "float16", "8", "eager", "2.500", "50.0%", "25.0%", "")
    assert Timed(model="gpt2", dtype="float16", batch=8, way="eager", reason="why").cells()[-2:] == ("-", "why")
    assert Judged(model="gpt2", target="onnx", status="holds", claims=12).cells()[2:4] == ("holds", "12")
