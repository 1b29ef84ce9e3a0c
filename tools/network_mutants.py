"""Operator by site: mistakes in the networks that TensorRT reads of shipped specs, and what catches each."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from archspec.bundle.parity import float_arrays  # noqa: E402
from tests.engines.network.judging import Court, is_equivalent, lowered  # noqa: E402
from tests.engines.network.mutations import OPERATORS, mutants  # noqa: E402
from tests.mutation.shipped import SHIPPED, same_as  # noqa: E402

OUTCOMES = ("parity", "rule", "fails", "equivalent", "survived")


def main(names: list[str]) -> int:
    """Print a line for each mutant, and a table of operators by outcome; 1 where one survives."""
    torch.set_num_threads(1)
    started, totals = time.monotonic(), Counter[tuple[str, str]]()
    for name in names or [name for name in SHIPPED if name not in same_as()]:
        totals += report(name)
    width = max(len(operator) for operator in OPERATORS)
    print(f"\n{'':<{width}} " + " ".join(f"{outcome:>10}" for outcome in OUTCOMES))
    for operator in OPERATORS:
        print(f"{operator:<{width}} " + " ".join(f"{totals[operator, outcome]:>10}" for outcome in OUTCOMES))
    survived = sum(totals[operator, "survived"] for operator in OPERATORS)
    print(f"{totals.total()} mutants in {time.monotonic() - started:.0f} s, {survived} survived")
    return int(survived > 0)


def report(name: str) -> Counter[tuple[str, str]]:
    """The mutants of one spec's network at its reduced size."""
    found: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        case = lowered(name, Path(folder))
        court = Court(case, float_arrays(case.program.weights))
        assert court.verdict(case.plan) is None, f"the network of {name} itself is refused"
        for mutant in mutants(case.plan):
            verdict = court.verdict(mutant.plan)
            if verdict is None:
                verdict = "equivalent" if is_equivalent(case, court, mutant.plan) else "survived"
            kind = verdict.partition(" ")[0]
            found[mutant.operator, kind if kind in OUTCOMES else "rule"] += 1
            print(f"{name:<18} {mutant.operator:<26} {mutant.site:<32} {verdict}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
