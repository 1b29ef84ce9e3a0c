"""A command or code, run in this process with the steps of its builds: what is forked for the examples of pages.

To load torch anew takes longer than most examples do; tests of the processes build without this.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from archspec.__main__ import main
from tests.steps import steps_here


def command(job: dict[str, Any]) -> dict[str, Any]:
    """Run `archspec` with the job's `arguments`; returns its status and what it printed."""
    sys.argv = ["archspec", *job["arguments"]]
    return _ran(job, main)


def code(job: dict[str, Any]) -> dict[str, Any]:
    """Run the job's `code`; returns the status and what it printed."""
    return _ran(job, lambda: exec(compile(job["code"], "<example>", "exec"), {"__name__": "__main__"}))


def _ran(job: dict[str, Any], run: Callable[[], None]) -> dict[str, Any]:
    os.environ.update(job["environment"])
    # As `python -m` and `python -c` do.
    sys.path.insert(0, str(Path.cwd()))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            with steps_here():
                run()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        return {"status": status, "out": _text(out), "err": _text(err)}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
