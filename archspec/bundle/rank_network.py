"""Compute the networks of all ranks together on the CPU, and compare them with the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from archspec.bundle.network import NetworkCheck, entry_of, judged
from archspec.bundle.parity import SEED
from archspec.bundle.report import NetworkEntry, ParityTrial, network_of, ranks_of
from archspec.contract.lowered import RanksRunner, ranks_subject
from archspec.contract.protocol import Subject
from archspec.contract.redrawn import parity_redrawn
from archspec.contract.report import Finding
from archspec.engines.engine import NetworkEngine
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.program import Program
from archspec.ir.parts import part_of_parameter
from archspec.lower.rank_programs import RankPlan, rank_plan
from archspec.model.ports import DTypeName
from archspec.model.runner import Array, Arrays
from archspec.record import record
from archspec.spec.claims import load_claims


@record(eq=False)
class RanksCheck(NetworkCheck):
    """The networks of all ranks; `plan` is that of the first, `program` the whole model."""

    plans: tuple[NetworkPlan, ...]
    split: RankPlan

    def _subject(self) -> Subject:
        return ranks_subject(self.name, self.plans, self.precision)

    def _redrawn(self, weights: Arrays) -> Iterator[Finding]:
        return parity_redrawn(self.plans, self.claims, weights, SEED, self._parts)

    def _parts(self, parameters: Mapping[str, Array]) -> list[dict[str, Array]]:
        """What each rank has of parameters."""
        placed, ranks = self.split.placements, len(self.plans)
        return [
            {name: part_of_parameter(array, placed[name], rank, ranks) for name, array in parameters.items()}
            for rank in range(ranks)
        ]

    def _found(self, inputs: Arrays) -> list[dict[str, Array]]:
        return RanksRunner(self.plans).each(inputs)


def check_ranks(
    engine: NetworkEngine,
    sources: Sequence[Path],
    programs: Sequence[Program],
    whole: Program,
    dtype: DTypeName,
    spec: Path,
) -> tuple[list[NetworkEntry], list[ParityTrial | str]]:
    """Compute the networks that an engine makes of the files of all ranks, and compare them with the spec.

    Args:
        engine: the engine.
        sources: the exported file of each rank.
        programs: the program of each rank.
        whole: the whole model with its weights.
        dtype: the precision of the networks.
        spec: the path of the spec.

    Returns the entries of the networks for the report, and the trials, in which every rank is compared; texts among
    them are about sizes that were skipped.
    Raises SpecError as `check_network` does, and E621 for ranks that do not exchange alike.
    """
    claims = load_claims(spec)
    assert claims.spec is not None
    plans = tuple(engine.plan(program, source, dtype) for program, source in zip(programs, sources, strict=True))
    check = RanksCheck(
        name=network_of(ranks_of(engine.word, len(plans))),
        plan=plans[0],
        plans=plans,
        program=whole,
        dtype=dtype,
        claims=claims,
        split=rank_plan(claims.spec, len(plans)),
    )
    findings, trials = judged(check)
    entries = [entry_of(f"{engine.word}, rank {rank}", plan, dtype, findings) for rank, plan in enumerate(plans)]
    return entries, trials
