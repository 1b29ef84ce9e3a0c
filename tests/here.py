"""`python -m tests.here ARGUMENTS` is `archspec ARGUMENTS`, with the steps of its builds in one process.

`python -m tests.here -c CODE` runs code in the same way. To load torch anew takes longer than the step of a small
model; tests of the processes build without this.
"""

from __future__ import annotations

import sys

from archspec.__main__ import main
from tests.steps import steps_here

if __name__ == "__main__":
    with steps_here():
        if sys.argv[1] == "-c":
            exec(compile(sys.argv[2], "<example>", "exec"), {"__name__": "__main__"})
        else:
            main()
