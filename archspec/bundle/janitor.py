"""Clean up after a build that was killed. Runs as a separate script and uses the standard library only.

Standard input is a pipe from the build. The line `done` means that there is nothing to do; end of file means that the
build has died: its unfinished folder is removed, and a bundle that was set aside is restored.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

# Five seconds in all, for workers that are still writing a last file.
ATTEMPTS = 50
PAUSE = 0.1


def clean(unfinished: Path, aside: Path, output: Path) -> None:
    """Remove the folder of a build that ended, and restore the bundle that it had set aside.

    `unfinished` is the folder of the build, `aside` the place of the previous bundle, `output` where it belongs.
    """
    # Only so if the build ended between the two renames of `publish`.
    if aside.exists() and not output.exists():
        aside.rename(output)
    # Workers of the build end when it does, but may still write a last file.
    for _ in range(ATTEMPTS):
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
        if not unfinished.exists() and not aside.exists():
            break
        time.sleep(PAUSE)


def main() -> None:
    """Wait until the build says that it is done, or dies."""
    unfinished, aside, output = (Path(argument) for argument in sys.argv[1:4])
    if sys.stdin.readline().strip() != "done":
        clean(unfinished, aside, output)


if __name__ == "__main__":
    main()
