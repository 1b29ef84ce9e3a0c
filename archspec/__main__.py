"""The command `archspec`, and `python -m archspec`."""

from __future__ import annotations

import atexit
import os
import signal
import sys


def main() -> None:
    """Run the command line. An interrupt while modules are loaded ends the process without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from archspec.cli import main as run
    from archspec.cli.pipe import tolerate_closed_pipe

    tolerate_closed_pipe()
    try:
        run()
    except SystemExit as ended:
        _end_at_once(ended)
        raise


def _end_at_once(ended: SystemExit) -> None:
    """End the process where all is written: to take every object apart again is a sixth of a check.

    Returns where torch was loaded, whose threads and libraries end as they wish, and where something cannot be written.
    """
    if "torch" in sys.modules or not isinstance(ended.code, int | None):
        return
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, AttributeError, ValueError):
        return
    os._exit(ended.code or 0)


if __name__ == "__main__":
    main()
