"""Start a worker with the same memory layout every time: `python -m archspec.engines.steady WORKER`.

TensorRT orders a few entries of an engine by the addresses of its objects. If addresses, and the texts around them, do
not vary, two builds of one network on one machine give the same bytes.
"""

from __future__ import annotations

import compileall
import ctypes
import os
import sys
from pathlib import Path

ADDR_NO_RANDOMIZE = 0x0040000


def main() -> None:
    """Fix what can be fixed and become the worker; where the system does not allow it, the worker runs anyway."""
    # Compiling a source file leaves a different heap than loading its bytecode.
    compileall.compile_dir(Path(__file__).parents[1], quiet=2)
    if sys.platform == "linux":
        ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
    # The folder is passed as a number: the length of a path would shift memory.
    folder = os.open(".", os.O_RDONLY)
    os.set_inheritable(folder, True)
    os.chdir("/")
    os.execv(sys.executable, [sys.executable, "-P", "-W", "ignore", "-m", *sys.argv[1:], str(folder)])


if __name__ == "__main__":
    main()
