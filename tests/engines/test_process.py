"""A step in a process of its own: its failures are diagnostics, and it never outlives the one that asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archspec.diagnostics import SpecError
from archspec.engines.process import run_step

WORKER = """
import os, signal, sys, time
from archspec.diagnostics import fail
from archspec.engines.serve import serve

def add(job):
    print("noise from a library")
    os.write(1, b"and from below\\n")
    return {"sum": job["a"] + job["b"], "folder": os.getcwd()}

def refuse(job):
    fail("E606", "no such engine", None, notes=["a note"], help="build another")

def crash(job):
    raise RuntimeError("the last line")

def killed(job):
    os.kill(os.getpid(), signal.SIGKILL)

def linger(job):
    open("pid", "w").write(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    serve({"add": add, "refuse": refuse, "crash": crash, "killed": killed, "linger": linger})
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "step_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "step_worker"


def refusal(worker: str, task: str, folder: Path) -> SpecError:
    with pytest.raises(SpecError) as raised:
        run_step(worker, task, {}, folder=folder, stage="adding", progress=None)
    return raised.value


def test_an_answer_comes_back_and_noise_does_not(worker: str, tmp_path: Path) -> None:
    told: list[tuple[str, float | None]] = []
    job = {"a": 1, "b": 2}
    outcome = run_step(
        worker, "add", job, folder=tmp_path, stage="adding", progress=lambda stage, share: told.append((stage, share))
    )
    assert outcome.result == {"sum": 3, "folder": str(tmp_path.resolve())}
    assert told == [("adding", None), ("adding", 1.0)]
    assert outcome.stage.name == "adding"
    assert 0 < outcome.stage.seconds < 60
    assert 1_000_000 < outcome.stage.peak_bytes < 10**9


def test_its_own_diagnostics_come_back(worker: str, tmp_path: Path) -> None:
    (found,) = refusal(worker, "refuse", tmp_path).diagnostics
    assert (found.code, found.message, found.notes, found.help) == (
        "E606",
        "no such engine",
        ("a note",),
        "build another",
    )


def test_a_crash_is_a_diagnostic(worker: str, tmp_path: Path) -> None:
    (found,) = refusal(worker, "crash", tmp_path).diagnostics
    assert (found.code, found.message) == ("E605", "adding failed")
    assert found.notes[-1] == "RuntimeError: the last line"


def test_a_kill_is_a_diagnostic(worker: str, tmp_path: Path) -> None:
    (found,) = refusal(worker, "killed", tmp_path).diagnostics
    assert (found.code, found.message) == ("E605", "adding was ended by SIGKILL")
    assert found.help == "free some memory, or build fewer artifacts at once"


def test_a_worker_ends_with_the_one_that_asked(worker: str, tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from archspec.engines.process import run_step
run_step({worker!r}, "linger", {{}}, folder=Path({str(tmp_path)!r}), stage="lingering", progress=None)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as asking:
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):
            assert asking.poll() is None
            time.sleep(0.05)
        asking.kill()
    assert _ends(int(pid.read_text()))


def _ends(pid: int) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        state = Path(f"/proc/{pid}/stat")
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
