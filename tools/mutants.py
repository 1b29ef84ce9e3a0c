"""Operator by site: every mistake in the emitted source of shipped specs, and the claim that catches it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from archspec.lower import emit  # noqa: E402
from archspec.spec.claims import load_claims, with_inner  # noqa: E402
from archspec.spec.shipped import shipped_specs_dir  # noqa: E402
from tests.contract.judging import EQUIVALENT, SAME_CODE, first_violation  # noqa: E402
from tests.contract.mutations import mutants  # noqa: E402


def main(names: list[str]) -> int:
    """Print a line for each mutant and a total; 1 where one survives that is not known to be equivalent."""
    torch.set_num_threads(1)
    totals: Counter[str] = Counter()
    for name in names or [path.stem for path in sorted(shipped_specs_dir().glob("*.yaml"))]:
        if names or name not in SAME_CODE:
            totals += report(name)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.items())))
    return int(totals["survived"] > 0)


def report(name: str) -> Counter[str]:
    """The mutants of one spec."""
    spec = load_claims(name, reduced=True).spec
    assert spec is not None
    claims = with_inner(spec)
    assert claims.spec is not None
    totals: Counter[str] = Counter()
    for mutant in mutants(emit(claims.spec)):
        owner = mutant.site.partition(":")[0]
        caught = first_violation(claims, mutant.source)
        known = (name, mutant.operator, owner) in EQUIVALENT
        outcome = "caught" if caught else "equivalent" if known else "survived"
        totals[outcome] += 1
        print(f"{name:<18} {mutant.operator:<26} {mutant.site:<24} {caught or outcome}", flush=True)
    return totals


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHSPEC_CACHE"] = folder
        sys.exit(main(sys.argv[1:]))
