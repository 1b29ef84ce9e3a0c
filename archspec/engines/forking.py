"""The process that build steps are forked from: it loads what they share once, and runs none of them itself.

Run by `steady` as `python -m archspec.engines.forking MODULE... FOLDER`: modules to load, and the number of a
descriptor of the folder to work in. Each line on standard input is a job for `serve`. A step gets a process of its own
that is forked when its line arrives, so that neither memory nor a crash of one step reaches the next.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
from importlib import import_module

from archspec.engines.serve import serve


def main() -> None:
    """Load the modules, and fork a step for every line until standard input closes."""
    *modules, folder = sys.argv[1:]
    os.fchdir(int(folder))
    # Under numbers that programs started by a step do not inherit: they could read jobs and write answers.
    asked, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # Native libraries print to descriptor 1 too.
    os.dup2(2, 1)
    # Elsewhere than on Linux, a fork of a process that has loaded numerical libraries may not be able to use them.
    for name in modules if sys.platform == "linux" else ():
        import_module(name)
    gc.collect()
    # The collector of a step passes over what was loaded here.
    gc.freeze()
    while _is_asked(asked):
        # Nothing is read or kept here, so that all steps begin with the same memory.
        step = os.fork()
        if not step:
            break
        code = os.waitstatus_to_exitcode(os.waitpid(step, 0)[1])
        # The step may have ended within a line.
        os.write(answers, f"\n{json.dumps({'ended': code})}\n".encode())
    else:
        os._exit(0)
    serve(asked, answers)


def _is_asked(asked: int) -> bool:
    """Wait for a job; return False if standard input closes instead."""
    waiting = select.poll()
    waiting.register(asked, select.POLLIN)
    return all(event & select.POLLIN for _, event in waiting.poll())


if __name__ == "__main__":
    main()
