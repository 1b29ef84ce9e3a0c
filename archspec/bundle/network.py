"""Compare the network that TensorRT would compile, computed on the CPU, with the spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analyses.cost import cost
from archspec.bundle.bundled_spec import bundled_claims
from archspec.bundle.parity import (
    MOST_EXACT_FLOPS,
    MOST_FLOPS,
    MOST_PARAMETERS,
    SEED,
    measured,
    run_module,
)
from archspec.bundle.report import TOLERANCE, FindingEntry, NetworkEntry, ParityTrial, Reference, network_of
from archspec.bundle.stored import StoredArrays
from archspec.contract.lowered import FLOAT32, NetworkRunner, network_subject, rounds
from archspec.contract.protocol import Precision, Subject
from archspec.contract.redrawn import parity_redrawn
from archspec.contract.report import Finding, shown
from archspec.contract.verify import findings_of
from archspec.diagnostics import Collector
from archspec.engines.engine import NetworkEngine
from archspec.engines.module import load_module
from archspec.engines.network.digest import digest
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.program import Program
from archspec.model.ports import DTypeName
from archspec.model.runner import Array, Arrays
from archspec.model.samples import sample
from archspec.model.sizes import minimum, odd, typical
from archspec.oracle.interpreter import interpret
from archspec.record import record

if TYPE_CHECKING:
    from archspec.spec import Spec
    from archspec.spec.claims import Claims


@record(eq=False)
class NetworkCheck:
    """A network, the program that it was lowered from, and the claims of the spec.

    `name` is what reports call the network, `plan` the network as data.
    """

    name: str
    plan: NetworkPlan
    program: Program
    dtype: DTypeName
    claims: Claims

    def trials(self) -> Iterator[ParityTrial | str]:
        """Yield a comparison at the smallest, odd and typical sizes, or a text for sizes that are too expensive.

        The reference is the interpreter, or the emitted module if the model is too large for it.
        """
        assert self.claims.spec is not None
        counted = cost(self.claims.spec.graph)
        symbols = self.program.interface.symbols
        points = [minimum(symbols), odd(symbols), typical(symbols)]
        for sizes in [point for index, point in enumerate(points) if point not in points[:index]]:
            flops = counted.flops.value(sizes)
            if flops <= MOST_EXACT_FLOPS and counted.parameters <= MOST_PARAMETERS:
                yield self._trial("interpreter", sizes)
            elif flops <= MOST_FLOPS:
                yield self._trial("module", sizes)
            else:
                yield f"{self.name} at {shown(sizes)}: {flops:.2g} FLOPs are too many for this check"

    def findings(self) -> Iterator[Finding]:
        """Yield the result for each claim of the contract; in float32 also with other parameters than the bundle's."""
        weights = StoredArrays(self.program.weights)
        yield from findings_of(self._subject(), self.claims, parameters=weights, seed=SEED)
        if self.dtype == "float32":
            yield from self._redrawn(weights)

    @property
    def precision(self) -> Precision:
        """How far outputs may be from the interpreter's."""
        # Half precision is judged within its tolerance; in float32 the contract has its own.
        bound = TOLERANCE[self.dtype]
        return FLOAT32 if self.dtype == "float32" else Precision(name=self.dtype, parity=bound, exact=bound)

    def _subject(self) -> Subject:
        return network_subject(self.name, self.plan, self.precision)

    def _redrawn(self, weights: Arrays) -> Iterator[Finding]:
        return parity_redrawn([self.plan], self.claims, weights, SEED)

    def _found(self, inputs: Arrays) -> list[dict[str, Array]]:
        """The outputs of the network, or of that of each rank."""
        return [NetworkRunner(self.plan, "exact" if rounds(self.plan) else "declared").run(inputs)]

    def _trial(self, reference: Reference, sizes: dict[str, int]) -> ParityTrial:
        """Compare the network with one reference on the same random inputs."""
        assert self.claims.spec is not None
        inputs = sample(self.program.interface, sizes, SEED)
        expected = (
            self._interpreted(self.claims.spec, inputs, sizes) if reference == "interpreter" else self._run(inputs)
        )
        each = [[measured(name, one[name], expected[name]) for name in self._names] for one in self._found(inputs)]
        # Of ranks, the one that differs most.
        differences = [max(ranks, key=lambda one: one.largest) for ranks in zip(*each, strict=True)]
        return ParityTrial(
            artifact=self.name, dtype=self.dtype, reference=reference, sizes=sizes, seed=SEED, differences=differences
        )

    @property
    def _names(self) -> list[str]:
        return list(self.program.interface.outputs)

    def _interpreted(self, spec: Spec, inputs: Any, sizes: dict[str, int]) -> Any:
        return interpret(spec.graph, inputs, StoredArrays(self.program.weights), sizes)

    def _run(self, inputs: Any) -> Any:
        return run_module(load_module(self.program, "float32"), self.program, inputs)


def check_network(
    engine: NetworkEngine, source: Path, program: Program, dtype: DTypeName, spec: Path
) -> tuple[NetworkEntry, list[ParityTrial | str]]:
    """Compute the network that an engine makes of a file, and compare it with the spec.

    `source` is the exported file, `spec` the path of the spec. Returns the entry for the report and the trials; texts
    among them are about sizes that were skipped.
    Raises SpecError: E606 for a file that the engine rejects, E609 for every output that differs too much, E620 and
    E621 for layers that cannot be computed, E622 for every claim that is violated.
    """
    plan = engine.plan(program, source, dtype)
    check = NetworkCheck(
        name=network_of(engine.word), plan=plan, program=program, dtype=dtype, claims=bundled_claims(spec)
    )
    findings, trials = judged(check)
    return entry_of(engine.word, plan, dtype, findings), trials


def judged(check: NetworkCheck) -> tuple[list[Finding], list[ParityTrial | str]]:
    """Return findings and trials. Raises SpecError E609, E620, E621 and E622 as `check_network` does."""
    trials, problems = list(check.trials()), Collector()
    for trial in trials:
        if isinstance(trial, ParityTrial):
            trial.judge(problems)
    problems.raise_if_errors()
    findings = list(check.findings())
    for finding in findings:
        if finding.status == "violated":
            problems.error("E622", f"the network violates {finding.claim}", None, notes=[finding.detail])
    problems.raise_if_errors()
    return findings, trials


def entry_of(engine: str, plan: NetworkPlan, dtype: DTypeName, findings: list[Finding]) -> NetworkEntry:
    """Return the entry of a network for the report."""
    kinds = Counter(step.kind.lower() for step in plan.steps)
    return NetworkEntry(
        engine=engine,
        dtype=dtype,
        digest=digest(plan),
        layers=dict(sorted(kinds.items())),
        findings=[FindingEntry(claim=f.claim, status=f.status, detail=f.detail, trials=f.trials) for f in findings],
    )
