"""`verify` on a bundle: every artifact by every rule, in each precision, and one that was tampered with."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper

from archspec.bundle import build
from archspec.bundle.choice import obstacle
from archspec.bundle.manifest import FileEntry, read_manifest, write_manifest
from archspec.cli import cli
from archspec.spec import load
from tests.steps import steps_here

pytestmark = pytest.mark.slow
SPEC = """
archspec: 1
name: hidden
constants: {d_model: 16, reach: 2}
dims:
  batch: [1, 2, 4]
  length: [1, 9, 20]
inputs:
  x: float[batch, length, d_model]
  valid: bool[batch, length]
defaults: {norm: layer_norm}
graph:
  states:
    block: encoder
    input: x
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 2, mask: key_valid(valid) & within(reach)}
    feed_forward: {hidden: 16, activation: relu}
outputs:
  states: float[batch, length, d_model]
rules:
  - window: {output: states, input: x, back: 2*reach, ahead: 2*reach}
  - ignores: {output: states, input: x, where: not valid}
  - covers: {output: states, input: x, mask: within(2*reach)}
"""


def verified(folder: Path) -> tuple[int, list[dict[str, Any]]]:
    """The exit status of `archspec verify`, and its reports."""
    done = CliRunner().invoke(cli, ["verify", str(folder), "--json"])
    return done.exit_code, json.loads(done.output)["reports"]


def statuses(report: dict[str, Any]) -> dict[str, str]:
    """By rule or other claim (no arguments): the status."""
    return {found["claim"].partition("(")[0]: found["status"] for found in report["findings"]}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of an encoder with windows and padding."""
    return built(tmp_path_factory.mktemp("bundle"))


def built(folder: Path, **options: str) -> Path:
    (folder / "hidden.yaml").write_text(SPEC, encoding="utf-8")
    with steps_here():
        return build(load(folder / "hidden.yaml"), folder / "built", **options).path  # type: ignore[arg-type]


def with_hashes(folder: Path, name: str) -> None:
    """Write into the manifest what a file is now."""
    path, file = folder / "manifest.json", folder / name
    manifest = read_manifest(path.read_text("utf-8"))
    content = file.read_bytes()
    entry = FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    path.write_text(write_manifest(manifest.model_copy(update={"files": {**manifest.files, name: entry}})), "utf-8")


def tampered(bundle: Path, folder: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    """A copy whose ONNX file was changed, and whose manifest knows nothing of it."""
    shutil.copytree(bundle, folder)
    entry = read_manifest((folder / "manifest.json").read_text("utf-8")).artifacts[0]
    model = onnx.load(folder / entry.files[0], load_external_data=False)
    change(model)
    onnx.save(model, folder / entry.files[0])
    with_hashes(folder, entry.files[0])
    return folder


def feed(model: onnx.ModelProto, name: str, nodes: list[onnx.NodeProto], instead: str) -> None:
    """Put nodes in front, and let every other node read their result where it read `name`."""
    for node in model.graph.node:
        for place, given in enumerate(node.input):
            if given == name:
                node.input[place] = instead
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def all_valid(model: onnx.ModelProto) -> None:
    """Every position counts as valid: the mask is lost."""
    negated, either = (
        helper.make_node("Not", ["valid"], ["not_valid"]),
        helper.make_node("Or", ["valid", "not_valid"], ["lost"]),
    )
    feed(model, "valid", [negated, either], "lost")


def wider_window(model: onnx.ModelProto) -> None:
    """A query sees one key more on each side."""
    (compared,) = [node for node in model.graph.node if node.op_type == "LessOrEqual"]
    (reach,) = [found for found in model.graph.initializer if found.name == compared.input[1]]
    reach.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(reach) + 1, "wider"))
    compared.input[1] = "wider"


def test_the_module_and_every_artifact_hold(bundle: Path) -> None:
    status, reports = verified(bundle)
    assert status == 0, reports
    assert [one["subject"] for one in reports] == ["built: model.py", "built: onnx, float32"]
    rules = dict.fromkeys(["independent", "window", "ignores", "covers", "equal to the interpreter"], "holds")
    for report in reports:
        assert statuses(report).items() >= rules.items()


@pytest.mark.parametrize(
    ("change", "broken", "whole"),
    [(all_valid, "ignores", "window"), (wider_window, "window", "ignores")],
)
def test_a_mask_that_was_lost_in_a_file_is_caught(
    bundle: Path, change: Callable[[onnx.ModelProto], None], broken: str, whole: str, tmp_path: Path
) -> None:
    status, (module, network) = verified(tampered(bundle, tmp_path / "copy", change))
    assert status == 1
    assert module["holds"] is True
    found = statuses(network)
    assert found[broken] == found["equal to the interpreter"] == "violated"
    assert found[whole] == found["covers"] == "holds"


def test_a_module_that_was_written_by_hand_is_told_and_not_run(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bundle, folder)
    (folder / "model.py").write_text((folder / "model.py").read_text("utf-8") + "raise SystemExit(7)\n")
    with_hashes(folder, "model.py")
    status, (module, network) = verified(folder)
    assert status == 1
    assert statuses(module)["model.py equals what the spec compiles to"] == "violated"
    assert network["holds"] is True


def test_what_cannot_be_opened_says_why(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bundle, folder)
    path = folder / "manifest.json"
    manifest = read_manifest(path.read_text("utf-8"))
    engine = manifest.artifacts[0].model_copy(update={"target": "tensorrt-rtx:sm89", "verified": "built"})
    path.write_text(write_manifest(manifest.model_copy(update={"artifacts": [*manifest.artifacts, engine]})), "utf-8")
    status, reports = verified(folder)
    assert status == 0
    (only,) = reports[2]["findings"]
    assert only["status"] == "not measured"
    assert obstacle(engine)
    assert only["detail"] == f"{obstacle(engine)}; verified in the build: built"


@pytest.mark.slow
def test_half_precision_is_held_to_every_rule_within_a_tolerance_that_is_said(tmp_path: Path) -> None:
    folder = built(tmp_path, dtype="float16")
    status, (_, network) = verified(folder)
    assert status == 0, network
    assert network["subject"] == "built: onnx, float16"
    findings = {one["claim"]: one for one in network["findings"]}
    assert findings["equal to the interpreter"]["detail"] == "within 0.05"
    assert 1e-5 < findings["equal to the interpreter"]["largest"] < 0.05
    rounded = [name for name, found in statuses(network).items() if found != "holds"]
    assert set(rounded) <= {"covers"}
    status, (_, network) = verified(tampered(folder, tmp_path / "copy", all_valid))
    assert (status, statuses(network)["ignores"]) == (1, "violated")
