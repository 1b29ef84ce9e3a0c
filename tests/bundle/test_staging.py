"""A build that ends early, however it ends, leaves nothing behind and the old bundle whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec.bundle import staging as module
from archspec.bundle.staging import exchange, staging
from archspec.diagnostics import SpecError

BUILD = """
import sys, archspec
def tell(stage, fraction):
    print(stage, flush=True)
archspec.build(sys.argv[1], sys.argv[2], progress=tell, cache=False)
"""
WRITE = """
import sys, time
from pathlib import Path
from archspec.bundle.staging import staging
with staging(Path(sys.argv[1])) as folder:
    (folder / "half.bin").write_bytes(bytes(1_000_000))
    print("written", flush=True)
    time.sleep(60)
"""


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def kill_after(script: str, arguments: list[Path], line: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        for written in process.stdout:
            if written.strip() == line:
                break
        else:
            pytest.fail("the build ended before it could be killed")
        os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_write_leaves_nothing(tmp_path: Path) -> None:
    kill_after(WRITE, [tmp_path / "bundle"], "written")
    assert wait_until(lambda: not list(tmp_path.iterdir()))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["export to ONNX", "compare onnx"])
def test_a_killed_build_leaves_the_old_bundle_whole(copy: Path, spec_file: Path, stage: str) -> None:
    before = (copy / "manifest.json").read_bytes()
    kill_after(BUILD, [spec_file, copy], stage)
    assert wait_until(lambda: [path.name for path in copy.parent.iterdir()] == [copy.name])
    assert (copy / "manifest.json").read_bytes() == before
    archspec.open(copy)


def test_an_error_inside_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), staging(tmp_path / "deep" / "bundle") as folder:
        (folder / "half.bin").write_bytes(b"half")
        raise KeyboardInterrupt
    assert list((tmp_path / "deep").iterdir()) == []


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_bundle_is_replaced_whole(copy: Path, can_exchange: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not can_exchange:
        monkeypatch.setattr(module, "exchange", lambda one, other: False)
    with staging(copy) as folder:
        (folder / "new.txt").write_text("new")
        archspec.open(copy)
    assert [path.name for path in copy.iterdir()] == ["new.txt"]
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_what_was_set_aside_comes_back(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_halfway(folder: Path, output: Path, aside: Path) -> None:
        output.rename(aside)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "publish", fail_halfway)
    with pytest.raises(SpecError) as raised, staging(copy):
        pass
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E702", f"{copy} cannot be written: No space left on device")
    archspec.open(copy)
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_folders_are_exchanged_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / folder.name).touch()
    if not exchange(one, other):
        pytest.skip("this file system cannot exchange folders")
    assert [path.name for path in one.iterdir()] == ["other"]


def refused(output: Path) -> str:
    with pytest.raises(SpecError) as raised, staging(output):
        pytest.fail("the output was taken")
    (found,) = raised.value.diagnostics
    assert found.code == "E704"
    return found.message


def test_an_output_that_is_no_bundle_is_refused(tmp_path: Path, copy: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert refused(file).endswith("it is not a folder")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").touch()
    assert refused(tmp_path / "folder").endswith("it is neither empty nor a bundle")
    (copy / "notes.txt").touch()
    assert refused(copy).endswith("it contains `notes.txt`, which is not part of the bundle there")
    (copy / "manifest.json").write_text("{}")
    assert refused(copy).endswith("its manifest.json does not belong to a complete bundle")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    output = tmp_path / "empty"
    output.mkdir()
    with staging(output) as folder:
        (folder / "a.txt").touch()
    assert [path.name for path in output.iterdir()] == ["a.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert output.stat().st_mode & 0o777 == 0o777 & ~mask
    assert (output / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("circle", "symlink loop from"),
        ("x" * 300, "file name too long"),
        ("file/built", "file is not a folder"),
        ("file/deep/built", "file is not a folder"),
    ],
)
def test_an_output_that_has_no_place(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SpecError) as raised, staging(tmp_path / name):
        pytest.fail("the block runs although its folder cannot be made")
    (found,) = raised.value.diagnostics
    assert found.code == "E702" and reason in found.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "file"]
