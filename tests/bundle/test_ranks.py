"""Bundles with an engine for each tensor rank: what they hold, how they are verified and rebuilt, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import archspec
from archspec.bundle import verify
from archspec.bundle.bundle import Bundle
from archspec.bundle.files import entry_of
from archspec.bundle.manifest import MANIFEST, Manifest, WholeEntry, write_manifest
from archspec.bundle.verify import verify_bundle
from archspec.contract.report import ContractReport
from archspec.diagnostics import SpecError
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.targets.tensorrt_rtx import TensorRTRTX
from tests.steps import steps_here

pytest.importorskip("tensorrt_rtx")
from tests.engines.network.test_ranks import without

SPEC = """\
archspec: 1
name: tiny
constants: {vocab: 64, d_model: 16}
dims: {batch: [1, 2, 4], length: [1, 5, 8]}
inputs:
  ids: int64[batch, length] < vocab
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d_model}
  states:
    block: decoder
    input: source
    layers: 1
    residual: pre
    final_norm: true
    attention: {heads: 2, mask: causal, positions: {kind: rotary, layout: half}}
    feed_forward: {hidden: 32, activation: gelu}
  logits: {block: lm_head, input: states, tie: source.table}
outputs:
  logits: float[batch, length, vocab]
rules:
  - causal: {output: logits, input: ids}
decode: {input: ids, output: logits}
"""


def codes(raised: pytest.ExceptionInfo[SpecError]) -> list[str]:
    return [one.code for one in raised.value.diagnostics]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "tiny.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory, spec: Path) -> Path:
    out = tmp_path_factory.mktemp("split") / "bundle"
    with steps_here():
        archspec.build(spec, out, targets=["tensorrt-rtx:sm89"], tensor=2, seed=3, cache=False)
    return out


def changed(folder: Path, to: Path) -> Bundle:
    """A copy, as if it had been built with the files that it has now."""
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    files = {name: entry_of(to / name) for name in manifest.files}
    (to / MANIFEST).write_text(write_manifest(manifest.model_copy(update={"files": files})))
    return archspec.open(to)


def test_each_rank_has_an_engine_and_its_parts_of_the_weights(split: Path) -> None:
    bundle = archspec.open(split)
    tensor = bundle.manifest.tensor
    assert tensor is not None
    assert bundle.manifest.artifacts == []
    assert [one.rank for one in tensor.programs] == [0, 1]
    whole, parts = load_file(split / "model.safetensors"), [load_file(split / one.weights) for one in tensor.programs]
    # Of 64 rows and 32 hidden features each rank has half; norms are whole.
    assert [one["source.table"].shape for one in parts] == [(32, 16), (32, 16)]
    np.testing.assert_array_equal(np.concatenate([one["source.table"] for one in parts]), whole["source.table"])
    down = "states.layers.0.feed_forward.down.weight"
    np.testing.assert_array_equal(np.concatenate([one[down] for one in parts], axis=1), whole[down])
    assert not parts[1]["states.layers.0.feed_forward.down.bias"].any()
    for program in tensor.programs:
        (entry,) = program.artifacts
        assert entry.verified == "network-verified-cpu"
        assert (split / entry.files[0]).stat().st_size > 10_000
    found = {(one.kind, one.where): one.times for one in tensor.exchanges}
    assert found == {
        ("all-reduce", "source.table"): 1,
        ("all-reduce", "states.layers.*.attention.out"): 1,
        ("all-reduce", "states.layers.*.feed_forward.down"): 1,
        ("all-gather", "tiny"): 1,
    }
    assert all(one.line is not None for one in tensor.exchanges)
    assert tensor.parts["source.table"] == "axis 0 in 2 parts"
    assert "states.layers.*.attention_norm.weight" not in tensor.parts
    assert len(tensor.notes) == 2


def test_the_report_tells_what_was_computed_of_all_ranks_together(split: Path) -> None:
    bundle = archspec.open(split)
    assert len(bundle.report.networks) == 2
    for found in bundle.report.networks:
        assert found.layers["dist_collective"] == 4
        assert {one.status for one in found.findings} == {"holds"}
        claims = {one.claim for one in found.findings}
        assert {"causal(output: logits, input: ids)", "equal to the interpreter at large parameters"} <= claims
    assert max(one.largest for trial in bundle.report.trials for one in trial.differences) < 1e-5
    assert "2 ranks of tensorrt-rtx:sm89 float32" in bundle.summary()
    assert "exchanged in a forward pass: 3 all-reduce, 1 all-gather" in bundle.summary()


def test_what_two_kinds_of_layers_hold_whole_is_told_once(split: Path, tmp_path: Path) -> None:
    shutil.copytree(split, tmp_path / "kinds")
    manifest = Manifest.model_validate_json((split / MANIFEST).read_bytes())
    assert manifest.tensor is not None
    path, reason = "states.layers.*.attention.k", "3 is not divisible by 2"
    whole = [WholeEntry(path=path, elements=8, reason=reason, line=line) for line in (9, 9, 11)]
    edited = manifest.model_copy(update={"tensor": manifest.tensor.model_copy(update={"whole": whole})})
    (tmp_path / "kinds" / MANIFEST).write_text(write_manifest(edited))
    told = [line for line in archspec.open(tmp_path / "kinds").summary().splitlines() if "whole on every rank" in line]
    start = "    whole on every rank: states.layers.*.attention.k"
    assert told == [f"{start} (line {n}): 3 is not divisible by 2" for n in (9, 11)]


def test_a_bundle_of_ranks_is_not_run(split: Path) -> None:
    with pytest.raises(SpecError) as raised:
        archspec.open(split).run({"ids": np.zeros((1, 3), np.int64)})
    assert codes(raised) == ["E710"]
    assert "2 tensor ranks" in raised.value.diagnostics[0].message


def test_its_ranks_are_verified(split: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reports(bundle: Bundle) -> list[ContractReport]:
        return [one for one in verify_bundle(bundle) if "rank" in one.subject]

    # The report on the module of the whole takes seconds, and is that of every bundle.
    whole = ContractReport(subject="model.py", claims="tiny", findings=())
    monkeypatch.setattr(verify, "_module", lambda *args: whole)
    found = reports(archspec.open(split))
    assert [[one.status for one in report.findings] for report in found] == [["holds", "holds", "not measured"]] * 2
    folder = Path(shutil.copytree(split, tmp_path / "bundle"))
    weights = load_file(folder / "ranks/rank_1.safetensors")
    weights["source.table"][3, 5] += 1
    save_file(weights, folder / "ranks/rank_1.safetensors")
    with (folder / "ranks/rank_0.py").open("a") as file:
        file.write("\n")
    first, second = reports(changed(split, folder))
    assert [one.status for one in first.findings[:2]] == ["violated", "holds"]
    assert [one.status for one in second.findings[:2]] == ["holds", "violated"]
    assert second.findings[1].detail == "`source.table` is not the part of rank 1"


def test_a_manifest_that_contradicts_itself_is_refused(split: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(split, tmp_path / "bundle"))
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    assert manifest.tensor is not None
    tensor = manifest.tensor.model_copy(update={"ranks": 3})
    (folder / MANIFEST).write_text(write_manifest(manifest.model_copy(update={"tensor": tensor})))
    with pytest.raises(SpecError) as raised:
        archspec.open(folder)
    assert codes(raised) == ["E707"]


def test_a_network_without_an_exchange_fails_the_build(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = TensorRTRTX.plan

    def mutant(*args: Any) -> NetworkPlan:
        return without(made(*args), 1)

    monkeypatch.setattr(TensorRTRTX, "plan", mutant)
    with pytest.raises(SpecError) as raised, steps_here():
        archspec.build(spec, tmp_path / "bundle", targets=["tensorrt-rtx:sm89"], tensor=2, cache=False)
    assert set(codes(raised)) == {"E609"}
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"targets": ["onnx"]}, "E628"),
        ({"layout": "genai"}, "E628"),
        ({"benchmark": True}, "E628"),
        ({"tensor": 3}, "E900"),
    ],
    ids=str,
)
def test_what_does_not_go_with_ranks_is_refused(
    options: dict[str, object], code: str, spec: Path, tmp_path: Path
) -> None:
    given = {"targets": ["tensorrt-rtx:sm89"], "tensor": 2, **options}
    with pytest.raises(SpecError) as raised:
        archspec.build(spec, tmp_path / "bundle", **given)  # type: ignore[arg-type]
    assert codes(raised) == [code]
    assert not (tmp_path / "bundle").exists()


def test_the_number_of_ranks_is_a_whole_one(spec: Path, tmp_path: Path) -> None:
    for wrong in (1, True, 2.0):
        with pytest.raises(ValueError, match="`tensor` must be a whole number from 2"):
            archspec.build(spec, tmp_path / "bundle", targets=["tensorrt-rtx:sm89"], tensor=wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_command_of_the_manifest_builds_the_same_engines(split: Path, tmp_path: Path) -> None:
    bundle = archspec.open(split)
    assert "--tensor 2" in bundle.manifest.command
    weights = split / "model.safetensors"
    again = archspec.build(
        split / "spec.yaml", tmp_path / "again", weights=weights, targets=["tensorrt-rtx:sm89"], tensor=2, cache=False
    )
    engines = [name for name in bundle.manifest.files if name.endswith("model.engine")]
    assert len(engines) == 2
    assert all(bundle.manifest.files[name] == again.manifest.files[name] for name in engines)
    assert json.loads((split / MANIFEST).read_text())["tensor"]["ranks"] == 2
