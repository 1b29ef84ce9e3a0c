"""What is kept is taken again for the same parts alone, whole or not at all, whoever else is at it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archspec.engines import cache
from archspec.engines.cache import Recipe, clear, entries, home
from archspec.engines.engine import Artifact, Target
from archspec.engines.program import Program
from archspec.model.written import DimRange, WrittenInterface

ONNX = Target(engine="onnx")
CONTENT = {"model.onnx": b"network", "model.onnx.data": b"\x00\x01" * 5000}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))


def made(folder: Path, **changes: Any) -> Recipe:
    (folder / "model.py").write_text(changes.pop("source", "class Model: ..."))
    (folder / "model.safetensors").write_bytes(changes.pop("weights", b"weights"))
    interface = WrittenInterface(
        dims={"batch": changes.pop("batch", DimRange(min=1, typical=2, max=8))}, inputs={}, outputs={}
    ).read()
    program = Program(source=Path("model.py"), module="Model", weights=Path("model.safetensors"), interface=interface)
    recipe = Recipe(name="tiny", spec_digest="a" * 64, folder=folder, program=program, dtype="float32")
    return replace(recipe, **changes)


def kept(recipe: Recipe, place: Path, target: Target = ONNX) -> Artifact:
    place.mkdir(exist_ok=True)
    for name, content in CONTENT.items():
        (place / name).write_bytes(content)
    artifact = Artifact(
        target=str(target), dtype="float32", files=tuple(CONTENT), tool="onnxruntime", version="1", notes=("why",)
    )
    assert recipe.keep(target, artifact, place) is None
    return artifact


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    recipe = made(tmp_path)
    artifact = kept(recipe, tmp_path / "built")
    (tmp_path / "again").mkdir()
    assert recipe.take(ONNX, tmp_path / "again") == artifact
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == CONTENT
    assert home().stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"spec_digest": "b" * 64},
        {"source": "class Model: pass"},
        {"weights": b"Weights"},
        {"batch": DimRange(min=1, typical=2, max=9)},
        {"dtype": "float16"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_part_is_another_key(tmp_path: Path, changes: dict[str, Any]) -> None:
    kept(made(tmp_path), tmp_path / "built")
    (tmp_path / "again").mkdir()
    assert made(tmp_path, **changes).take(ONNX, tmp_path / "again") is None


def test_another_target_tool_or_builder_is_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = made(tmp_path)
    key = recipe.key(ONNX)
    assert recipe.key(Target(engine="openvino")) != key
    assert recipe.key(Target(engine="tensorrt-rtx", capabilities=("sm89",))) != key
    versions = {**cache.tool_versions(), "torch": "0.1"}
    with monkeypatch.context() as patched:
        patched.setattr(cache, "tool_versions", lambda: versions)
        assert recipe.key(ONNX) != key
    with monkeypatch.context() as patched:
        patched.setattr(cache, "_own_code", lambda: "other")
        assert recipe.key(ONNX) != key
    assert recipe.key(ONNX) == key


@pytest.mark.parametrize("name", [*CONTENT, cache.ENTRY])
def test_a_flipped_byte_is_as_good_as_nothing_there(tmp_path: Path, name: str) -> None:
    recipe = made(tmp_path)
    kept(recipe, tmp_path / "built")
    path = home() / recipe.key(ONNX) / name
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    (tmp_path / "again").mkdir()
    assert recipe.take(ONNX, tmp_path / "again") is None
    assert list((tmp_path / "again").iterdir()) == []
    assert not path.exists()


def test_an_entry_that_names_a_file_outside_is_not_taken(tmp_path: Path) -> None:
    recipe = made(tmp_path)
    kept(recipe, tmp_path / "built")
    path = home() / recipe.key(ONNX) / cache.ENTRY
    about = json.loads(path.read_text())
    about["artifact"]["files"] = ["../../../outside"]
    about["files"] = {"../../../outside": "0" * 64}
    path.write_text(json.dumps(about))
    (tmp_path / "again").mkdir()
    assert recipe.take(ONNX, tmp_path / "again") is None


def test_a_folder_that_others_can_write_to_is_not_trusted(tmp_path: Path) -> None:
    recipe = made(tmp_path)
    artifact = kept(recipe, tmp_path / "built")
    home().chmod(0o777)
    (tmp_path / "again").mkdir()
    assert recipe.take(ONNX, tmp_path / "again") is None
    assert "own" in (recipe.keep(ONNX, artifact, tmp_path / "built") or "")
    assert list(entries()) == []


def test_many_builds_at_once_leave_one_whole_entry(tmp_path: Path) -> None:
    recipe = made(tmp_path)
    threads = [threading.Thread(target=kept, args=(recipe, tmp_path / f"built-{index}")) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in home().iterdir()] == [recipe.key(ONNX)]
    (tmp_path / "again").mkdir()
    assert recipe.take(ONNX, tmp_path / "again") is not None


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    recipe = made(tmp_path)
    artifact = kept(recipe, tmp_path / "built")
    clear()

    def full(source: Path, target: Path) -> str:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "_copied", full)
    assert recipe.keep(ONNX, artifact, tmp_path / "built") == "No space left on device"
    assert list(home().iterdir()) == []


def test_listing_and_clearing(tmp_path: Path) -> None:
    import os

    assert list(entries()) == []
    recipe = made(tmp_path)
    kept(recipe, tmp_path / "built")
    openvino = Target(engine="openvino")
    kept(recipe, tmp_path / "built", openvino)
    old = time.time() - 3 * 24 * 3600
    os.utime(home() / recipe.key(ONNX) / cache.ENTRY, (old, old))
    found = list(entries())
    assert [(one.name, one.target, one.dtype) for one in found] == [
        ("tiny", "openvino", "float32"),
        ("tiny", "onnx", "float32"),
    ]
    assert all(one.bytes > sum(map(len, CONTENT.values())) for one in found)
    assert found[1].age == pytest.approx(3 * 24 * 3600, abs=60)
    assert clear(older=24 * 3600)[0] == 1
    assert [one.target for one in entries()] == ["openvino"]
    count, size = clear()
    assert (count, list(entries())) == (1, [])
    assert size > 0
