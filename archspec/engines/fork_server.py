"""The asking end of a fork server, which is the process that build steps are forked from (see `forking`)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from archspec.record import record


@record
class Ended:
    """How a step ended: its last message, None without one, the code of its process, and the lines of its errors."""

    answer: dict[str, Any] | None
    code: int
    errors: tuple[str, ...]


class ForkServer:
    """The process that steps in `folder` are forked from, with `modules` loaded.

    It starts with the first step, and anew after a step that ended without an answer.
    """

    def __init__(self, folder: Path, modules: tuple[str, ...]) -> None:
        self.folder, self._modules = folder, modules
        self._running: tuple[subprocess.Popen[str], IO[bytes]] | None = None

    def ask(self, message: Mapping[str, Any], tell: Callable[[float], None]) -> Ended:
        """Run a step, and return how it ended; `tell` is called with the shares that it reports."""
        process, errors = self._running = self._running or self._start()
        before = _size(errors)
        try:
            answer, code = _converse(process, message, tell)
        # Also for KeyboardInterrupt: the step must not outlive the build.
        except BaseException:
            self._kill()
            raise
        ended = Ended(answer=answer, code=code, errors=_lines(errors, before))
        if answer is None or process.poll() is not None:
            # A step that was ended may have left its job unread, and the next one would read it.
            self.close()
        return ended

    def close(self) -> None:
        """End the process if it runs."""
        if self._running is None:
            return
        process, errors = self._running
        self._running = None
        # Leaving closes its pipes, which ends it, and waits. What was not written before it ended is in vain.
        with errors, suppress(BrokenPipeError), process:
            pass

    def _kill(self) -> None:
        """End the process with the step that it runs, and whatever that has started."""
        if self._running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._running[0].pid, signal.SIGKILL)
        self.close()

    def _start(self) -> tuple[subprocess.Popen[str], IO[bytes]]:
        # A file, because a pipe that nobody reads would block a step that prints much.
        errors = tempfile.TemporaryFile()  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "archspec.engines.steady", "archspec.engines.forking", *self._modules],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # A group of its own, so that it can be ended with its steps.
            process_group=0,
        )
        return process, errors


def _environment() -> dict[str, str]:
    """Return the environment of steps: one can import this package, and does not name the working folder."""
    # The working folder is not searched for modules (-P): it holds files of the bundle.
    home = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([home, inherited]) if inherited else home
    # These variables hold the working folder or the command, whose lengths would shift a step's memory.
    kept = {name: value for name, value in os.environ.items() if name not in ("PWD", "OLDPWD", "_")}
    # A fixed hash seed makes the order of sets, and with it the artifacts, reproducible.
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}


def _converse(
    process: subprocess.Popen[str], message: Mapping[str, Any], tell: Callable[[float], None]
) -> tuple[dict[str, Any] | None, int]:
    """Send a job; return the answer, None without one, and the code of the step, or of the server if that ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    answer: dict[str, Any] | None = None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
    for line in process.stdout:
        told = _message(line)
        if "ended" in told:
            return answer, told["ended"]
        if "share" in told:
            tell(told["share"])
        elif told:
            answer = told
    return answer, process.wait()


def _message(line: str) -> dict[str, Any]:
    """Return the message of a line, an empty one for a line that a crash has cut off."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


def _lines(file: IO[bytes], start: int) -> tuple[str, ...]:
    """Return the lines of a file from a place on; `seek` would move where the process writes."""
    text = os.pread(file.fileno(), _size(file) - start, start).decode("utf-8", "replace")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size
