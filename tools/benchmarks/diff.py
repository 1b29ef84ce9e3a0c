"""`archspec diff` against one `archspec check`: whole processes, alternating, and what is compared in one process."""

from __future__ import annotations

import time
from statistics import median

from check import _time
from row import Row, spread

RUNS = 9
PAIRS = (("gpt2", "gpt2"), ("gpt2", "gpt2-xl"), ("llama-2-7b", "mistral-7b"), ("transformer-base", "t5-base"))
_MAIN = "import sys; sys.argv = ['archspec', {}]; from archspec.__main__ import main; main()"


def diff_rows() -> list[Row]:
    """The ratio of whole processes for each pair, and that within one process."""
    rows = []
    for before, after in PAIRS:
        diff = _MAIN.format(f"'diff', '{before}', '{after}'")
        check = _MAIN.format(f"'check', '{after}'")
        _time(diff), _time(check)
        pairs = [(_time(diff)[0], _time(check)[0]) for _ in range(RUNS)]
        diffs, checks = [a for a, _ in pairs], [b for _, b in pairs]
        rows.append(
            Row(
                what=f"diff {before} {after} / check {after}",
                value=median(diffs) / median(checks),
                unit="x",
                bound=2.0,
                detail=f"median of {RUNS} processes, alternating; diff {spread(diffs)}, check {spread(checks)}",
            )
        )
        rows.append(_here(before, after))
    return rows


def _here(before: str, after: str) -> Row:
    """The same without starting: both specs are loaded and compared, and one is checked."""
    from archspec.checking import check
    from archspec.cli.check_command import text_of
    from archspec.diff import compare_meaning
    from archspec.spec import load

    def once(run: object) -> float:
        # The process's own time: two runs of one process follow one another, and what else the machine does is no part.
        started = time.process_time()
        assert callable(run)
        run()
        return time.process_time() - started

    pairs = [
        (once(lambda: compare_meaning(load(before), load(after))), once(lambda: text_of(check(after))))
        for _ in range(RUNS)
    ]
    diffs, checks = [a for a, _ in pairs][1:], [b for _, b in pairs][1:]
    return Row(
        what=f"the same in a running process, two specs loaded and compared, one checked and told ({before}, {after})",
        value=median(diffs) / median(checks),
        unit="x",
        bound=2.0,
        detail=f"process time; diff {spread(diffs)}, check {spread(checks)}",
    )
