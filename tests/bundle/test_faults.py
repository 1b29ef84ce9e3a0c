"""Every fault that a build or a bundle must survive: each has a diagnostic, and the bundle before it stays whole.

Those that other files test are named here, and must be there.
"""

from __future__ import annotations

import ast
import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archspec
from archspec.bundle.staging import staging
from archspec.diagnostics import SpecError
from archspec.engines.engine import Artifact
from archspec.engines.host import Gpu
from archspec.engines.registry import engine_of, target_of
from archspec.engines.targets import tensorrt_rtx, torch_tensorrt
from archspec.model.inputs import prepare
from archspec.model.written import DimRange, InputPort, WrittenInterface

HERE = Path(__file__).resolve().parent
FAULTS = {
    "kill -9 in the middle of a build": "test_staging.py::test_a_killed_build_leaves_the_old_bundle_whole",
    "disk full": "test_faults.py::test_a_full_disk",
    "read-only output": "test_faults.py::test_a_read_only_output",
    "output folder not empty": "test_staging.py::test_an_output_that_is_no_bundle_is_refused",
    "two builds into one folder": "test_faults.py::test_two_builds_into_one_folder",
    "a flipped byte in each file of a bundle": "test_read.py::test_a_flipped_byte_is_found_in_every_file",
    "a manifest that names a path outside": "test_read.py::test_a_path_that_leaves_the_bundle",
    "a manifest from a newer version": "test_read.py::test_a_newer_format",
    "an engine for another TensorRT version": "test_faults.py::test_an_engine_for_another_version",
    "an engine for another GPU": "test_faults.py::test_an_engine_for_another_gpu",
    "inputs of wrong dtype, rank, range, name, missing, extra, NaN": "test_faults.py::test_wrong_inputs",
    "sizes outside the profile": "test_faults.py::test_sizes_outside_the_profile",
    "sizes outside an engine's narrower profile": "test_profiles.py::test_sizes_that_no_profile_has_are_refused",
    "a dim at its minimum and maximum": "test_faults.py::test_every_dim_at_its_minimum_and_maximum",
}
ROOT = HERE.parents[1]
BUILD = "import sys, archspec; archspec.build(sys.argv[1], sys.argv[2], cache=False)"
BUILD_WITH_SEED = """
import sys, archspec
from tests.steps import steps_here
with steps_here():
    archspec.build(sys.argv[1], sys.argv[2], cache=False, seed=int(sys.argv[3]))
"""
TABLE = """\
archspec: 1
name: table
about: One table, which is exported at once
dims: {batch: [1, 2, 8], tokens: [1, 12, 32]}
inputs: {ids: "int64[batch, tokens] < 50"}
graph:
  states: {block: token_embedding, ids: ids, vocab: 50, dim: 16}
outputs: {states: "float[batch, tokens, 16]"}
"""
INTERFACE = WrittenInterface(
    dims={"batch": DimRange(min=1, typical=2, max=8), "tokens": DimRange(min=2, typical=12, max=32)},
    inputs={
        "ids": InputPort(type="int64[batch, tokens] < 50"),
        "features": InputPort(type="float[batch, tokens, 4]"),
        "valid": InputPort(type="bool[batch, tokens]", default=True),
    },
    outputs={"states": "float[batch, tokens, 16]"},
).read()
IDS, FEATURES = np.ones((2, 6), dtype=np.int64), np.ones((2, 6, 4), dtype=np.float32)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_test(fault: str) -> None:
    file, _, name = FAULTS[fault].partition("::")
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def refused(action: Callable[[], Any]) -> list[str]:
    with pytest.raises(SpecError) as raised:
        action()
    return [found.code for found in raised.value.diagnostics]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "told"), [(2_000, "error[E702]: "), (9_000, "error[E605]: initialise weights failed")]
)
def test_a_full_disk(copy: Path, spec_file: Path, limit: int, told: str) -> None:
    """No file may grow beyond a limit: the process that writes texts meets it, or the one that writes weights."""
    before = (copy / "manifest.json").read_bytes()
    built = subprocess.run(
        [sys.executable, "-B", "-c", BUILD, str(spec_file), str(copy)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert built.returncode == 1
    assert told in built.stderr
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert (copy / "manifest.json").read_bytes() == before
    archspec.open(copy)


def test_a_disk_that_fills_up_as_the_bundle_is_moved(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("archspec.bundle.staging.synchronise", full)
    with pytest.raises(SpecError) as raised, staging(copy) as folder:
        (folder / "new.txt").touch()
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E702", f"{copy} cannot be written: No space left on device")
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    archspec.open(copy)


def test_a_read_only_output(spec_file: Path) -> None:
    # Nobody makes folders there, not even the one who may do everything.
    assert refused(lambda: archspec.build(spec_file, "/proc/bundle")) == ["E702"]
    assert not Path("/proc/bundle").exists()


def test_two_builds_into_one_folder(tmp_path: Path) -> None:
    output, together = tmp_path / "bundle", threading.Barrier(4)
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for turn in range(5):
                with staging(output) as folder:
                    for index in range(20):
                        (folder / f"{index}.txt").write_text(f"{name} {turn}")
                    together.wait(timeout=60)
                together.wait(timeout=60)
                if name == "0":
                    held = {path.read_text() for path in output.iterdir()}
                    assert len(held) == 1 and len(list(output.iterdir())) == 20
                    for path in output.iterdir():
                        path.unlink()
                together.wait(timeout=60)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)
            together.abort()

    builders = [threading.Thread(target=write, args=(str(number),)) for number in range(4)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert failures == []
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.slow
def test_two_whole_builds_into_one_folder(tmp_path: Path) -> None:
    """One of them stands there in the end, whole, and nothing of the other."""
    output, spec = tmp_path / "there" / "bundle", tmp_path / "table.yaml"
    spec.write_text(TABLE)
    command = [sys.executable, "-B", "-c", BUILD_WITH_SEED, str(spec), str(output)]
    builds = [subprocess.Popen([*command, str(seed)], cwd=ROOT, stderr=subprocess.PIPE, text=True) for seed in (1, 2)]
    told = [build.communicate()[1] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], told
    assert [path.name for path in output.parent.iterdir()] == ["bundle"]
    bundle = archspec.open(output)
    assert bundle.manifest.weights.seed in (1, 2)
    assert bundle.run({"ids": IDS})["states"].shape == (2, 6, 16)


def artifact(target: str, version: str, host: str | None = None) -> Artifact:
    return Artifact(target=target, dtype="float32", files=("model",), tool="tool", version=version, host=host)


def obstacle(target: str, made: Artifact) -> str:
    return engine_of(target_of(target)).obstacle(target_of(target), made) or ""


def test_an_engine_for_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_rtx, "installed", lambda: "1.7.1.116")
    made = artifact("tensorrt-rtx:sm89", "1.5.0.114")
    assert obstacle("tensorrt-rtx:sm89", made) == (
        "it runs only with TensorRT-RTX 1.5.0.114, which built it; this host has 1.7.1.116"
    )
    monkeypatch.setattr(torch_tensorrt, "_check_host", lambda word, dtype: None)
    monkeypatch.setattr(torch_tensorrt, "_version", lambda package: "2.13.0")
    assert "this host has 2.13.0" in obstacle("torch-tensorrt", artifact("torch-tensorrt", "2.11.0"))
    assert "this host has" in obstacle("inductor", artifact("inductor", "2.11.0"))


def test_an_engine_for_another_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_rtx, "installed", lambda: "1.7.1.116")
    monkeypatch.setattr(tensorrt_rtx, "this_gpu", lambda: Gpu(name="NVIDIA H100", capability="sm90"))
    found = obstacle("tensorrt-rtx:sm89", artifact("tensorrt-rtx:sm89", "1.7.1.116"))
    assert found == "it was built for sm89; this host has NVIDIA H100 (sm90)"
    monkeypatch.setattr(torch_tensorrt, "_check_host", lambda word, dtype: None)
    monkeypatch.setattr(torch_tensorrt, "_version", lambda package: "2.13.0")
    monkeypatch.setattr(torch_tensorrt, "this_gpu", lambda: Gpu(name="NVIDIA L4", capability="sm89"))
    found = obstacle("torch-tensorrt", artifact("torch-tensorrt", "2.13.0", "NVIDIA H100"))
    assert found == "it was built for NVIDIA H100; this host has NVIDIA L4"
    assert obstacle("torch-tensorrt", artifact("torch-tensorrt", "2.13.0", "NVIDIA L4")) == ""


@pytest.mark.parametrize(
    ("fault", "given", "code"),
    [
        ("dtype", {"ids": IDS.astype(np.float32)}, "E713"),
        ("rank", {"ids": IDS[0]}, "E714"),
        ("range", {"ids": IDS * 50}, "E718"),
        ("name", {"ids": IDS, "vaild": np.ones((2, 6), dtype=bool)}, "E711"),
        ("missing", {"ids": None}, "E712"),
        ("extra", {"ids": IDS, "more": IDS}, "E711"),
        ("NaN", {"features": np.where(np.arange(4) == 3, np.nan, FEATURES)}, "E722"),
        ("infinity", {"features": -np.inf * FEATURES}, "E722"),
    ],
)
def test_wrong_inputs(fault: str, given: dict[str, Any], code: str) -> None:
    arrays = {name: array for name, array in {"ids": IDS, "features": FEATURES, **given}.items() if array is not None}
    assert refused(lambda: prepare(INTERFACE, arrays, "float32")) == [code]


def test_where_a_number_is_not_finite() -> None:
    features = FEATURES.copy()
    features[1, 4, 2] = np.nan
    with pytest.raises(SpecError) as raised:
        prepare(INTERFACE, {"ids": IDS, "features": features}, "float32")
    (found,) = raised.value.diagnostics
    assert (found.message, found.notes[-1]) == (
        "`features[1, 4, 2]` is nan, expected a finite number",
        "the only such position",
    )


@pytest.mark.parametrize(("batch", "tokens"), [(9, 6), (0, 6), (2, 1), (2, 33)])
def test_sizes_outside_the_profile(batch: int, tokens: int) -> None:
    arrays = {"ids": np.ones((batch, tokens), dtype=np.int64), "features": np.ones((batch, tokens, 4))}
    assert set(refused(lambda: prepare(INTERFACE, arrays, "float32"))) == {"E716"}


@pytest.mark.parametrize(("batch", "tokens"), [(1, 1), (1, 32), (8, 1), (8, 32)])
def test_every_dim_at_its_minimum_and_maximum(built: Path, batch: int, tokens: int) -> None:
    bundle = archspec.open(built)
    assert bundle.manifest.interface.dims["tokens"].max == 32
    outputs = bundle.run({"ids": np.ones((batch, tokens), dtype=np.int64)})
    assert outputs["states"].shape == (batch, tokens, 16)
    assert np.isfinite(outputs["states"]).all()
