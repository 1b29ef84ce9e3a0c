"""Cleans up after a build that was killed. Runs as a script of its own, from the standard library alone.

Standard input is a pipe from the build. `done` on it means that there is nothing to do; its end means that the build
is gone: the unfinished folder goes too, and a bundle that was set aside comes back.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

ATTEMPTS = 50
PAUSE = 0.1


def clean(unfinished: Path, aside: Path, output: Path) -> None:
    """Remove the folder of a build that ended, and put back what it had set aside."""
    if aside.exists() and not output.exists():
        aside.rename(output)
    # The build's own workers end when it does, but not before their last file is written.
    for _ in range(ATTEMPTS):
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
        if not unfinished.exists() and not aside.exists():
            break
        time.sleep(PAUSE)


def main() -> None:
    """Wait for the build to say that it is done, or to end."""
    unfinished, aside, output = (Path(argument) for argument in sys.argv[1:4])
    if sys.stdin.readline().strip() != "done":
        clean(unfinished, aside, output)


if __name__ == "__main__":
    main()
