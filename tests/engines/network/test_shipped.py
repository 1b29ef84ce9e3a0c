"""The networks of shipped specs hold the contract on the CPU; in float32 they are those of their bundles."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from archspec.bundle.network import NetworkCheck, check_network
from archspec.bundle.report import TOLERANCE, ParityTrial
from archspec.engines.network.digest import digest
from archspec.engines.profiles import declared, shapes
from archspec.engines.registry import engines
from archspec.model.ports import DTypeName
from tests.contract.test_shipped import inner_rules
from tests.engines.network.judging import Lowered, lowered
from tests.mutation.shipped import REPRESENTATIVES, SHIPPED, ranked, skip_if_same, ways

HALVES: tuple[DTypeName, ...] = ("float16", "bfloat16")
MEASURED = {"float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
"""What the reduced specs stay within, as a share of the largest value or 1; a build allows more."""


OPS_OF_OTHERS = {
    "coatnet-0",
    "conformer-m",
    "gpt-neo-125m",
    "gpt-oss-20b",
    "gpt2",
    "llama-3.2-1b",
    "resnet-50",
    "siglip-base",
    "t5-base",
    "transformer-base",
    "whisper-tiny",
}
"""Representatives all of whose ops others have: how they are joined is no question of half precision."""


def alternating() -> list[Any]:
    """Specs that use every op, in one half of precision or the other in turn; all in both in long runs."""
    long = [pytest.mark.slow, pytest.mark.long]
    ranks = {one.values[0]: one.marks for one in ranked()}
    halves = {name: HALVES[number % 2] for number, name in enumerate(sorted(REPRESENTATIVES))}
    turns = {(name, half) for name, half in halves.items() if name not in OPS_OF_OTHERS}
    return [
        pytest.param(name, dtype, marks=ranks[name] if (name, dtype) in turns else long)
        for name in SHIPPED
        for dtype in HALVES
    ]


def largest(case: Lowered) -> float:
    """Hold a network against its spec, and say how far it is from the interpreter at most."""
    entry, made = check_network(
        engines()["tensorrt-rtx"],  # type: ignore[arg-type]
        case.onnx,
        case.program,
        case.dtype,
        case.spec,
    )
    assert entry.digest == digest(case.plan)
    unseen = [finding.detail for finding in entry.findings if finding.status != "holds"]
    inner = inner_rules(case.claims)
    assert all(detail.endswith("is not an output") or detail in inner for detail in unseen)
    claims = {finding.claim for finding in entry.findings}
    assert {"shapes", "finite"} < claims
    assert any(claim.startswith("independent(") for claim in claims)
    return furthest(made)


def furthest(made: Iterable[ParityTrial | str]) -> float:
    """The largest difference from the interpreter, as a share of the largest value or 1."""
    made = list(made)
    trials = [trial for trial in made if isinstance(trial, ParityTrial)]
    assert len(trials) == len(made) >= 2
    assert {trial.reference for trial in trials} == {"interpreter"}
    return max(one.largest / max(1.0, one.scale) for trial in trials for one in trial.differences)


def holds_and_compiles(case: Lowered) -> None:
    """Hold the network of a shipped spec in float32, and compile it: `tests/bundle/test_shipped.py` does, of each."""
    from archspec.engines.rtx.building import build_engine

    assert largest(case) < MEASURED["float32"]
    interface = case.program.interface
    ranges = [shapes(interface.input_ports, declared(interface.symbols))]
    built = build_engine(case.onnx, ranges, tuple(interface.outputs), ("sm89",))
    assert built.network == digest(case.plan)
    assert len(built.engine) > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ["gpt2", "resnet-50"])
def test_half_precision_holds_the_contract(name: str, dtype: DTypeName, tmp_path: Path) -> None:
    assert 1e-5 < largest(lowered(name, tmp_path, dtype)) < MEASURED[dtype] < TOLERANCE[dtype]


def test_every_op_is_tried_in_half_precision() -> None:
    tried = set().union(*map(ops, REPRESENTATIVES - OPS_OF_OTHERS))
    assert {name: found for name in REPRESENTATIVES if (found := ops(name) - tried)} == {}


def ops(name: str) -> set[str]:
    """The names of the ops of a spec."""
    return {way.partition(" ")[0] for way in ways(name)}


@pytest.mark.parametrize(("name", "dtype"), alternating())
def test_half_precision_is_within_its_rounding(name: str, dtype: DTypeName, tmp_path: Path) -> None:
    """How far a network in half precision is from the interpreter, which `pytest -rP` prints."""
    skip_if_same(name)
    case = lowered(name, tmp_path, dtype)
    check = NetworkCheck(name=name, plan=case.plan, program=case.program, dtype=dtype, claims=case.claims)
    error = furthest(check.trials())
    print(f"{name} {dtype}: {error:.1e} of the largest value at most")
    assert 1e-5 < error < MEASURED[dtype] < TOLERANCE[dtype]
