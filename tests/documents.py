"""Markdown pages as tests: files are written, commands run, and what they print is compared with what the page says.

- A `yaml` block whose first line is `# NAME.yaml` is that file, and a `python` block whose first line is `# NAME.py`.
- A `console` block holds commands after `$ ` and what each prints: standard output, and standard error where it fails.
- Any other `python` block runs, and prints what the comments beside its `print` lines say.

`...` on a line stands for any lines. Measured differences and the sizes of files vary with the machine, and a rule that
is broken has more than one witness: their figures are compared by form alone.
"""

from __future__ import annotations

import atexit
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspec.engines.fork_server import ForkServer

ROOT = Path(__file__).resolve().parent.parent
HOME = "/models"
TAKES_TORCH = re.compile(r"archspec (?:build|run|generate|verify) [^|<>;&]*")
_LOADED = ("torch", "archspec.bundle.worker", "tests.here")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MEASURED = re.compile(r"\d\.\de-\d\d|(?<=float32, )[\d.]+ [kM]B|(?<= )\[\d+(?:, \d+)*\]")
_ENDINGS = {"yaml": "yaml", "python": "py"}
_CLAIM = re.compile(r"^print\(.*\)  # (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A fenced block of a page."""

    language: str
    text: str
    line: int

    @property
    def file_name(self) -> str | None:
        """The file that a block is, if it is a whole one."""
        ending = _ENDINGS.get(self.language)
        found = re.match(rf"# ([\w-]+\.{ending})\n", self.text)
        return found[1] if ending and found else None


def examples(page: Path) -> list[Example]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [Example(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in _FENCE.finditer(text)]


def run(example: Example, folder: Path) -> None:
    """Do what a block says in a folder, and hold it to what it claims."""
    if example.file_name is not None:
        (folder / example.file_name).write_text(example.text, encoding="utf-8")
    elif example.language == "console":
        for command, claimed in commands(example):
            printed = without_figures(printed_by(command, folder))
            assert re.fullmatch(pattern_of(claimed), printed), f"$ {command}\n{printed}"
    elif example.language == "python":
        printed = _forked("code", {"code": example.text}, folder)
        assert printed.splitlines() == _CLAIM.findall(example.text)


def commands(example: Example) -> Iterator[tuple[str, str]]:
    """Each command of a console block, with what it is said to print."""
    for part in re.split(r"^\$ ", example.text, flags=re.MULTILINE)[1:]:
        command, _, claimed = part.partition("\n")
        yield command, claimed.strip("\n")


def printed_by(command: str, folder: Path) -> str:
    """What a shell command prints in the folder, `archspec` being this checkout's."""
    if TAKES_TORCH.fullmatch(command):
        printed = _forked("command", {"arguments": shlex.split(command)[1:]}, folder)
    else:
        modules = {"archspec": "archspec", "torchrun": "torch.distributed.run"}
        python = shlex.quote(sys.executable)
        own = "\n".join(f'{name}() {{ {python} -m {module} "$@"; }}' for name, module in modules.items())
        printed = _finished(["bash", "-c", f"{own}\n{command}"], folder)
    return printed.replace(str(folder), HOME).strip("\n")


def pattern_of(claimed: str) -> str:
    """What output must match: the lines of the page, where `...` stands for any lines."""
    return re.escape(without_figures(claimed)).replace(re.escape("\n..."), "\n(?s:.*)")


def without_figures(text: str) -> str:
    """The text with measured figures left out."""
    return _MEASURED.sub("#", text)


def _finished(command: list[str], folder: Path) -> str:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **_settings(folder)}
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    return done.stdout + (done.stderr if done.returncode else "")


_servers: list[ForkServer] = []


@atexit.register
def _close() -> None:
    while _servers:
        _servers.pop().close()


def _forked(task: str, job: dict[str, Any], folder: Path) -> str:
    """What `tests.here` prints in a process forked from one that has loaded torch; the last folder keeps that one."""
    if [one.folder for one in _servers] != [folder]:
        _close()
        _servers.append(ForkServer(folder, _LOADED))
    job = {**job, "environment": _settings(folder)}
    ended = _servers[0].ask({"worker": "tests.here", "task": task, "job": job}, lambda share: None)
    assert ended.answer is not None, "\n".join(ended.errors)
    done = ended.answer["done"]
    return str(done["out"] + (done["err"] if done["status"] else ""))


def _settings(folder: Path) -> dict[str, str]:
    return {"NO_COLOR": "1", "XDG_CACHE_HOME": str(folder / "cache")}
