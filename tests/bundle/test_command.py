"""The command that a manifest names builds the same artifacts again, from the bundle alone."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import archspec
from archspec.bundle.command import rebuilding
from archspec.cli import cli
from archspec.engines.registry import read_targets


def test_what_was_asked_for_is_in_the_command() -> None:
    targets = read_targets(["onnx", "tensorrt-rtx:sm86+sm89"], "float16")
    profiles = [{"batch": (1, 1, 1), "tokens": (1, 64, 128)}, {"batch": (2, 4, 8), "tokens": (1, 1, 1)}]
    assert rebuilding(targets, "float16", profiles, "triton", [Path("files/my words.txt")]) == (
        "archspec build spec.yaml --weights model.safetensors --output ../rebuilt --target onnx "
        "--target tensorrt-rtx:sm86+sm89 --dtype float16 --profile batch=1:1:1,tokens=1:64:128 "
        "--profile batch=2:4:8,tokens=1:1:1 --layout triton --file 'files/my words.txt'"
    )


def test_sizes_that_are_all_fixed_need_no_profile() -> None:
    assert rebuilding(read_targets(["onnx"], "float32"), "float32", [{}], "bundle", []) == (
        "archspec build spec.yaml --weights model.safetensors --output ../rebuilt --target onnx --dtype float32"
    )


@pytest.mark.slow
def test_the_command_builds_the_same_bytes(tmp_path: Path, spec_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx")
    words = tmp_path / "words.txt"
    words.write_text("one two")
    first = archspec.build(
        spec_file,
        tmp_path / "first" / "bundle",
        targets=["onnx", "tensorrt-rtx:sm89"],
        profiles=["batch=1:2:4"],
        files=[words],
        seed=5,
        cache=False,
    )
    # Nothing but the bundle is left.
    moved = Path(shutil.move(tmp_path / "first" / "bundle", tmp_path / "elsewhere"))
    words.unlink()
    monkeypatch.chdir(moved)
    program, *arguments = shlex.split(first.manifest.command)
    assert program == "archspec"
    done = CliRunner().invoke(cli, [*arguments, "--no-cache"])
    assert done.exit_code == 0, done.output
    again = archspec.open(tmp_path / "rebuilt")
    made = {name for name in first.manifest.files if name.startswith(("artifacts/", "files/"))}
    assert {"artifacts/onnx/model.onnx", "artifacts/tensorrt-rtx-sm89/model.engine", "files/words.txt"} == made
    assert all(again.manifest.files[name] == first.manifest.files[name] for name in (*made, "model.py", "spec.yaml"))
    assert again.manifest.command == first.manifest.command
