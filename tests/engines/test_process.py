"""A step in a process of its own: its failures are diagnostics, and it never outlives the one that asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import SpecError
from archspec.engines.process import forked_steps, run_step

WORKER = """
import os, signal, sys, time
import shared_part
from archspec.diagnostics import fail
from archspec.engines.serve import tell

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

def remember(job):
    shared_part.known.append(job["word"])
    print(f"remembered {job['word']}", file=sys.stderr)
    return {"known": shared_part.known, "loaded_by": shared_part.loaded_by, "process": os.getpid()}

def crash_if_asked(job):
    print("half a line", end="", flush=True, file=sys.stderr)
    os.kill(os.getpid(), signal.SIGSEGV)

def linger(job):
    open("pid", "w").write(str(os.getpid()))
    tell(0.5)
    time.sleep(60)
"""


SHARED = "import os\nknown, loaded_by = [], os.getpid()\n"


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "step_worker.py").write_text(WORKER)
    (tmp_path / "shared_part.py").write_text(SHARED)
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
from archspec.engines.process import forked_steps, run_step
run_step({worker!r}, "linger", {{}}, folder=Path({str(tmp_path)!r}), stage="lingering", progress=None)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as asking:
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):
            assert asking.poll() is None
            time.sleep(0.05)
        asking.kill()
    assert _ends(int(pid.read_text()))


def remembered(worker: str, word: str, folder: Path) -> dict[str, Any]:
    return run_step(worker, "remember", {"word": word}, folder=folder, stage="remembering", progress=None).result


def test_forked_steps_load_once_and_know_nothing_of_each_other(worker: str, tmp_path: Path) -> None:
    with forked_steps(tmp_path, "shared_part"):
        first, second = (remembered(worker, word, tmp_path) for word in ("one", "two"))
    assert (first["known"], second["known"]) == (["one"], ["two"])
    assert first["loaded_by"] == second["loaded_by"]
    assert len({first["loaded_by"], first["process"], second["process"], os.getpid()}) == 4
    assert all(_ends(found["process"]) for found in (first, second))
    assert _ends(first["loaded_by"])


@pytest.mark.parametrize("task", ["crash", "crash_if_asked", "killed", "refuse"])
def test_a_forked_step_that_fails_costs_itself_alone(worker: str, task: str, tmp_path: Path) -> None:
    with forked_steps(tmp_path, "shared_part"):
        remembered(worker, "before", tmp_path)
        (found,) = refusal(worker, task, tmp_path).diagnostics
        after = remembered(worker, "after", tmp_path)
    assert after["known"] == ["after"]
    # Of what other steps have printed it shows nothing.
    assert not any("remembered" in note for note in found.notes)


def test_a_step_in_another_folder_runs_there(worker: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with forked_steps(tmp_path, "shared_part"):
        outcome = run_step(worker, "add", {"a": 1, "b": 2}, folder=other, stage="adding", progress=None)
    assert outcome.result["folder"] == str(other.resolve())


def test_an_interrupted_step_ends(worker: str, tmp_path: Path) -> None:
    def interrupt(stage: str, share: float | None) -> None:
        if share is not None:
            raise KeyboardInterrupt

    with forked_steps(tmp_path, "shared_part"), pytest.raises(KeyboardInterrupt):
        run_step(worker, "linger", {}, folder=tmp_path, stage="lingering", progress=interrupt)
    assert _ends(int((tmp_path / "pid").read_text()))


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
