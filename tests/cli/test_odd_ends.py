"""Whatever a command is given, and however it ends, nobody sees a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Command

ROOT = Path(__file__).resolve().parent.parent.parent
LONG = "x" * 300
SPECS = [
    "bytes.yaml",
    "empty.yaml",
    "folder",
    "folder.yaml",
    "nothing.yaml",
    "nothing",
    "a\0b",
    "",
    f"{LONG}.yaml",
    LONG,
]
BY_SPEC = [
    ("check",),
    ("check", "--sarif"),
    ("show",),
    ("compile",),
    ("verify",),
    ("generate",),
    ("build", "-o", "out"),
]
WRONG = [
    ("compile", "small.yaml", "-o", "no/x.py"),
    ("compile", "small.yaml", "--expose", "a b"),
    ("compile", "small.yaml", "--expose", ""),
    ("compile", "small.yaml", "--expose", "states..x"),
    ("build", "small.yaml", "-o", "small.yaml"),
    ("build", "small.yaml", "-o", "out", "--weights", "nothing"),
    ("build", "small.yaml", "-o", "out", "--weights", "bytes.yaml"),
    ("build", "small.yaml", "-o", "out", "--file", "folder"),
    ("build", "small.yaml", "-o", "out", "--target", ""),
    ("run", "folder", "--inputs", "bytes.yaml"),
    ("run", "nothing", "--inputs", "nothing"),
    ("verify", "small.yaml", "--onnx", "bytes.yaml"),
    ("verify", "small.yaml", "--onnx", "nothing"),
    ("verify", "small.yaml", "--module", "a:b:c"),
    ("verify", "small.yaml", "--module", "os:getcwd"),
    ("verify", "small.yaml", "--module", ":"),
    ("init", "gpt2", "-o", "folder"),
    ("init", "gpt2", "-o", "no/a.yaml"),
    ("init", "../gpt2"),
    ("explain", "../E101"),
    ("explain", ""),
    *(
        ("check", "small.yaml", "--set", given)
        for given in ("", "=", "d==", "vocab=\x1b", "graph..x=1", "rules.9=1", "graph.states=[1", "vocab=", "a.b=&c")
    ),
]
USAGE = [
    ("list", "extra"),
    ("schema", "extra"),
    ("check",),
    ("show", "a", "b"),
    ("check", "small.yaml", "--set"),
    ("show", "small.yaml", "--depth", "x"),
    ("verify", "small.yaml", "--seed", "-1"),
    ("build", "small.yaml", "-o", "out", "--seed", "9" * 30),
    ("compile", "small.yaml", "-o", "folder"),
    ("no-such-command",),
    ("--no-such-option",),
]


@pytest.fixture
def odd_files(folder: Path) -> Path:
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe\0")
    (folder / "empty.yaml").write_bytes(b"")
    (folder / "folder").mkdir()
    (folder / "folder.yaml").mkdir()
    return folder


@pytest.mark.parametrize("command", BY_SPEC, ids=lambda command: "-".join(command))
def test_what_is_no_spec(archspec: Command, odd_files: Path, command: tuple[str, ...]) -> None:
    for spec in SPECS:
        ran = archspec(command[0], spec, *command[1:])
        assert ran.status == 1, (spec, ran)
        assert ("error[" in ran.err) != ('"ruleId"' in ran.out), (spec, ran)
    assert not (odd_files / "out").exists()


@pytest.mark.parametrize("arguments", WRONG, ids=lambda arguments: " ".join(map(repr, arguments)))
def test_what_cannot_be_done(archspec: Command, odd_files: Path, arguments: tuple[str, ...]) -> None:
    ran = archspec(*arguments)
    assert ran.status == 1
    assert "error[" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("arguments", USAGE, ids=lambda arguments: " ".join(arguments)[:40])
def test_wrong_usage(archspec: Command, odd_files: Path, arguments: tuple[str, ...]) -> None:
    ran = archspec(*arguments)
    assert ran.status == 2
    assert "Error: " in ran.err


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="modes bind users alone")
def test_a_file_that_may_not_be_read(archspec: Command, folder: Path) -> None:
    (folder / "small.yaml").chmod(0)
    ran = archspec("check", "small.yaml")
    assert ran.status == 1
    assert "permission denied" in ran.err


def started(folder: Path, *arguments: str, out: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "archspec", *arguments]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=surroundings, stdout=out, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.wait(60)
    process.stderr.close()
    return said


@pytest.mark.parametrize(
    "arguments", [("explain",), ("show", "small.yaml"), ("check", "small.yaml", "--json")], ids=" ".join
)
def test_nobody_listens(folder: Path, arguments: tuple[str, ...]) -> None:
    process = started(folder, *arguments, out=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert ended(process) == ""
    assert process.returncode == 0


def test_a_broken_spec_fails_though_nobody_listens(folder: Path) -> None:
    (folder / "broken.yaml").write_text("archspec: 1\nname: broken\n")
    process = started(folder, "check", "broken.yaml", "--json", out=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert ended(process) == ""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_no_room_for_what_is_printed(folder: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = started(folder, "show", "small.yaml", out=full.fileno())
        assert ended(process) == "error[E702]: cannot write the output: no space left on device\n"
    assert process.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt(folder: Path) -> None:
    (folder / "pipe.yaml").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe.yaml")
    process = started(folder, "check", "pipe.yaml", out=subprocess.DEVNULL)
    # Opening it to write waits for the command to open it to read.
    with (folder / "pipe.yaml").open("wb"):
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert ended(process) == "interrupted\n"
    assert process.returncode == 130
