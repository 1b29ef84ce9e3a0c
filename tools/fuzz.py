"""Random files of the whole language: what `check` says of their rules, against what the compiled module does.

With `--graphs` random graphs against brute force, with `--symmetry` rules on symmetry against runs of moved inputs,
with `--edits` random edits of specs, which must be answered, and with `--typing` random edits in an editor, which must
be shown as a check says.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.yaml_fuzz.tally import COLUMNS, Tally, told  # noqa: E402

if TYPE_CHECKING:
    from tests.edits.random_edits import Edited
    from tests.yaml_fuzz.judging import Outcome

_AHEAD = 64
"""Files that are handed out at once: an interrupt loses no more than these."""


def main(arguments: Sequence[str]) -> int:
    """Judge what is asked for; 1 where anything is unsound, falsely violated, a traceback or without its place."""
    options = _options(arguments)
    asked = {_graphs: options.graphs, _symmetry: options.symmetry, _edits: options.edits, _typing: options.typing}
    if any(asked.values()):
        return max(judge(options) for judge, count in asked.items() if count)
    return _files(options)


def _files(options: argparse.Namespace) -> int:
    console, tally = Console(stderr=True), Tally()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    numbers = range(options.start, options.start + options.files)
    asked = [(seed, number) for seed in options.seed for number in numbers]
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(_line(tally), total=len(asked))
        for (seed, number), outcome in zip(asked, _judged(asked, options.jobs), strict=True):
            tally.add(outcome)
            _report(console, options.out, seed, outcome)
            progress.update(task, advance=1, description=_line(tally))
            if tally.files % 500 == 0 and not console.is_terminal:
                console.print(f"seed {seed}, file {number}: {tally.summary()}", highlight=False, soft_wrap=True)
    _print(tally)
    return int(not tally.holds)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=300, metavar="N", help="how many files (default: 300)")
    parser.add_argument("--graphs", type=int, default=0, metavar="N", help="judge N random graphs instead")
    parser.add_argument("--symmetry", type=int, default=0, metavar="N", help="judge symmetry in N random specs instead")
    parser.add_argument("--edits", type=int, default=0, metavar="N", help="judge N random edits of specs instead")
    parser.add_argument("--typing", type=int, default=0, metavar="N", help="type N random edits at the language server")
    seeds = "file N of seed S is always the same; of several seeds as many files each"
    parser.add_argument("--seed", type=int, nargs="+", default=[0], metavar="S", help=seeds)
    parser.add_argument("--from", type=int, default=0, dest="start", metavar="K", help="the number of the first file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="processes (default: all)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write files that fail here")
    return parser.parse_args(arguments)


def _graphs(options: argparse.Namespace) -> int:
    """Random graphs: the proven relation against boolean matrices, node by node."""
    from tests.rules.fuzz import Tally as Graphs
    from tests.rules.fuzz import run

    total = Graphs()
    numbers = range(options.start, options.start + options.graphs)
    parts = [numbers[k : k + 50] for k in range(0, len(numbers), 50)]
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in track(pool.map(run, parts), "graphs", len(parts), console=Console(stderr=True)):
            total.graphs += found.graphs
            total.pairs += found.pairs
            total.exact += found.exact
            total.unsound += found.unsound
    print(f"{total.graphs} graphs, {total.pairs} pairs, {total.unsound} unsound, {total.exact / total.pairs:.1%} exact")
    return int(total.unsound > 0)


def _symmetry(options: argparse.Namespace) -> int:
    """Random specs with rules on symmetry: no proof may be contradicted by a run of a moved input."""
    from collections import Counter

    from tests.rules.symmetry_fuzz import run, told

    counts, unsound = Counter[str](), list[str]()
    # Seeds far apart, so that no spec is judged twice.
    first = options.seed[0] * 1_000_000 + options.start
    parts = [range(k, min(k + 50, first + options.symmetry)) for k in range(first, first + options.symmetry, 50)]
    with ProcessPoolExecutor(options.jobs) as pool:
        for found, wrong in track(pool.map(run, parts), "specs", len(parts), console=Console(stderr=True)):
            counts += found
            unsound += wrong
    print("\n".join([*unsound, told(counts, unsound)]))
    return int(bool(unsound))


def _edits(options: argparse.Namespace) -> int:
    """Random edits of specs: each is checked, or refused in its place, without a traceback and soon."""
    numbers = range(options.start, options.start + options.edits)
    refused = wrong = 0
    with TemporaryDirectory() as folder, ProcessPoolExecutor(options.jobs) as pool:
        ask = partial(_edit, str(options.seed[0]), folder)
        made = pool.map(ask, numbers, chunksize=8)
        for found in track(made, "edits", len(numbers), console=Console(stderr=True)):
            refused += found.refused
            wrong += bool(found.wrong)
            if found.wrong:
                print(found.wrong)
    print(f"{len(numbers)} edits, {refused} refused, {wrong} answered wrongly")
    return int(wrong > 0)


def _edit(seed: str, folder: str, number: int) -> Edited:
    from tests.edits.random_edits import judge

    return judge(seed, number, Path(folder, f"{number}.yaml"))


def _typing(options: argparse.Namespace) -> int:
    """Random edits of an open document: what a client is shown is what a check of the text says, and nothing raises."""
    from tests.lsp.client import editor
    from tests.lsp.typing import Typist

    async def typed() -> tuple[list[str], Typist]:
        with TemporaryDirectory() as folder:
            async with editor(Path(folder)) as client:
                typist, wrong = Typist(client, Path(folder), str(options.seed[0])), []
                numbers = range(options.start, options.start + options.typing)
                for number in track(numbers, "edits", console=Console(stderr=True)):
                    if found := await typist.edit(number):
                        print(found)
                        wrong.append(found)
                return wrong, typist

    wrong, typist = asyncio.run(typed())
    print(f"{options.typing} edits, {typist.findings} findings, {typist.answers} answers, {len(wrong)} shown wrongly")
    return int(bool(wrong))


def _judged(asked: Sequence[tuple[int, int]], jobs: int) -> Iterator[Outcome]:
    """The outcomes in order, of files given by seed and number."""
    from tests.yaml_fuzz.judging import judge

    if jobs == 1:
        yield from (judge(seed, number) for seed, number in asked)
        return
    left = iter(asked)
    with ProcessPoolExecutor(jobs, initializer=_alone) as pool:
        while batch := list(islice(left, _AHEAD * jobs)):
            yield from pool.map(judge, *zip(*batch, strict=True), chunksize=8)


def _alone() -> None:
    """One thread a process: they would only get in each other's way."""
    import torch

    torch.set_num_threads(1)


def _line(tally: Tally) -> str:
    return f"{tally.count('unsound')} unsound, {tally.count('false')} false, {tally.exact:.1%} exact"


def _report(console: Console, out: Path | None, seed: int, outcome: Outcome) -> None:
    found = [f"{answer.found}: {answer.rule}" for answer in outcome.wrong]
    found += [f"traceback: {outcome.crash}"] if outcome.crash else []
    for text in [*found, *([f"refused: {outcome.refused}"] if outcome.refused else [])]:
        console.print(f"seed {seed}, file {outcome.number}: {text}", markup=False, highlight=False, soft_wrap=True)
    if out is not None and found:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{seed}-{outcome.number}.yaml").write_text(told(seed, outcome), encoding="utf-8")


def _print(tally: Tally) -> None:
    table = Table("rule", *COLUMNS, "unconfirmed")
    for row in tally.rows():
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(tally.summary(), highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
