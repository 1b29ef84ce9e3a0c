"""Operator by site: mistakes in graphs, emitted source and caches of shipped specs, and what catches each."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from tests.mutation.report import Level, Row, cache_rows, graph_rows, source_rows  # noqa: E402
from tests.mutation.shipped import SHIPPED, decoders, same_as  # noqa: E402

COLUMNS = ("rules", "contract", "equivalent", "missed")


def main(arguments: Sequence[str]) -> int:
    """Print a line for each mutant, a table of operators, and a total; 1 where a mutant is missed."""
    options = _options(arguments)
    names = options.specs or [name for name in SHIPPED if name not in same_as()]
    levels: list[Level] = [options.level] if options.level else ["graph", "source", "cache"]
    started, rows = time.monotonic(), []
    decoding = set(decoders())
    tasks = [(level, name, options.most) for name in names for level in levels if level != "cache" or name in decoding]
    for found in _judged(tasks, options.jobs):
        for row in found:
            rows.append(row)
            print(_line(row), flush=True)
    for level in levels:
        print(f"\n{_table([row for row in rows if row.level == level], level)}")
    for name, owner in {} if options.specs else same_as().items():
        print(f"{name}: reduced, it has the graph and the rules of {owner}")
    print(f"{len(rows)} mutants of {len(names)} specs in {time.monotonic() - started:.0f} s")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return int(any(row.outcome.status == "missed" for row in rows))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/mutants", description=__doc__)
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="shipped specs (default: all that differ)")
    parser.add_argument("--level", choices=("graph", "source", "cache"), help="mistakes of one level alone")
    parser.add_argument("--most", type=int, metavar="N", help="at most so many sites of an operator on a graph")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every mutant and its outcome here, too")
    return parser.parse_args(arguments)


Task = tuple[Level, str, int | None]


def _judged(tasks: Sequence[Task], jobs: int) -> Iterator[list[Row]]:
    if jobs == 1:
        yield from map(_rows, tasks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_rows, tasks)


def _rows(task: Task) -> list[Row]:
    torch.set_num_threads(1)
    level, name, most = task
    if level == "cache":
        return list(cache_rows(name))
    return list(graph_rows(name, most) if level == "graph" else source_rows(name))


def _line(row: Row) -> str:
    outcome = row.outcome
    status = outcome.status.upper() if outcome.status == "missed" else outcome.status
    place = f"{row.operator:<30} {row.site:<56} {row.line:<22}"
    return f"{row.spec:<18} {row.level:<6} {place} {status} by {outcome.judge}: {outcome.detail}"


def _table(rows: Sequence[Row], level: Level) -> str:
    """Operators with their sites and outcomes, and all of them together."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        outcome = row.outcome.judge if row.outcome.status == "caught" else row.outcome.status
        found.setdefault(row.operator, Counter())[outcome] += 1
    total: Counter[str] = sum(found.values(), Counter())
    lines = [f"{f'operators on the {level}':<34} {'sites':>6}" + "".join(f"{name:>12}" for name in COLUMNS)]
    for name, counts in [*found.items(), ("all", total)]:
        lines.append(f"{name:<34} {sum(counts.values()):>6}" + "".join(f"{counts[one] or '':>12}" for one in COLUMNS))
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHSPEC_CACHE"] = folder
        sys.exit(main(sys.argv[1:]))
