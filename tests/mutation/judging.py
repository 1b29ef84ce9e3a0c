"""Who catches a mutant: the rules, by proof and wiring, or the contract, by what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal
from unittest.mock import patch

import numpy as np

from archspec.checking import compile
from archspec.contract.fill import DEVIATION, LARGE, fill
from archspec.contract.parity import parity
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding
from archspec.contract.sizes import probe
from archspec.model.runner import Array, FunctionRunner
from archspec.oracle.interpreter import interpret
from archspec.record import record
from archspec.rules.independence import independence
from archspec.rules.judge import Judge
from archspec.rules.verdict import Verdict
from archspec.spec import Spec
from archspec.spec.claims import claims_of
from tests.mutation.exact import broken
from tests.mutation.operators import Mutant

Parameters = Mapping[str, Array]
Status = Literal["caught", "equivalent", "missed"]
SAME = 1e-12
"""In float64, as a share of the largest value or 1: what differs by less computes the same."""


@record
class Outcome:
    """What became of a mutant, by whom, and what showed it."""

    status: Status
    judge: str
    detail: str


class Court:
    """Judges the mutants of one spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.claims = claims_of(spec)

    @cached_property
    def drawn(self) -> tuple[Parameters, ...]:
        """Parameters as the contract draws them."""
        return self._draw(0, DEVIATION), self._draw(1, LARGE)

    @cached_property
    def more(self) -> tuple[Parameters, ...]:
        """Further ones: what computes the same must do so at all of them."""
        return tuple(self._draw(seed, LARGE) for seed in range(2, 6))

    def _draw(self, seed: int, deviation: float) -> Parameters:
        module = fill(compile(self.spec), seed, deviation).double()
        return {name: tensor.numpy() for name, tensor in module.state_dict().items()}

    def outcome(self, mutant: Mutant) -> Outcome:
        """The rules first, then the contract.

        A mistake in who reads whom that no verdict tells must obey every rule by exact wiring, and so must one that
        the contract does not tell either.
        """
        # How a leak is told is no question here, and to search for its path takes most of the time of a verdict.
        with patch("archspec.rules.leak.shortest", lambda *_: ()):
            fallen = first_fallen(mutant.spec)
        if fallen is not None and fallen.status != "unknown":
            return Outcome(status="caught", judge="rules", detail=f"{fallen.status}: {fallen.rule}")
        found = self.compared(mutant.spec)
        if fallen is not None and found.status == "caught":
            return Outcome(status="caught", judge="rules", detail=f"unknown: {fallen.rule}")
        if fallen is not None and found.status == "equivalent":
            # Exact wiring composes what ops declare; what cancels in what is computed is no leak, and stays unknown.
            return Outcome(status="equivalent", judge="rules", detail=f"unknown: {fallen.rule}, and computes the same")
        if mutant.operator.judge == "rules" or found.status != "caught":
            broke = broken(mutant.spec)
            if broke is not None:
                return Outcome(status="missed", judge="rules", detail=broke)
        return found

    def compared(self, mutant: Spec) -> Outcome:
        """The mutant as a subject of the contract, run by the interpreter, against the interpreter of the spec."""
        for parameters in self.drawn:
            found = self._parity(mutant, parameters)
            if found.status == "violated":
                return Outcome(status="caught", judge="contract", detail=found.detail)
        farthest = max(self._parity(mutant, parameters).largest for parameters in (*self.drawn, *self.more))
        if farthest <= SAME:
            return Outcome(status="equivalent", judge="wiring", detail="obeys every rule, and computes the same")
        return Outcome(status="missed", judge="contract", detail=f"differs by {farthest:.2g} at other parameters")

    def _parity(self, mutant: Spec, parameters: Parameters) -> Finding:
        def run(arrays: Mapping[str, Array]) -> dict[str, Array]:
            return interpret(mutant.graph, arrays, parameters, sizes)

        sizes = probe(self.claims)
        runner = FunctionRunner(function=run)
        subject = Subject(name="mutant", runner=runner, exact=runner)
        with np.errstate(all="ignore"):
            return parity(self.claims, self.spec, subject, parameters, sizes, 0)


def first_fallen(spec: Spec) -> Verdict | None:
    """The first verdict that does not hold; None where all do."""
    judge = Judge(spec)
    verdicts = [judge.independent(rule) for rule in independence(spec.graph)]
    fallen = next((verdict for verdict in verdicts if not verdict.holds), None)
    return fallen or next((found for rule in spec.rules if not (found := judge.verdict(rule)).holds), None)
