"""The command `archspec`, and `python -m archspec`."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line. An interrupt while modules are loaded ends the process without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from archspec.cli import main as run

    run()


if __name__ == "__main__":
    main()
