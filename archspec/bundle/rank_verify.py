"""Verify the files of a bundle's tensor ranks: their modules, and that each holds its parts of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from archspec.bundle.bundle import Bundle
from archspec.bundle.choice import unopened
from archspec.bundle.manifest import ArtifactEntry, RankEntry, TensorEntry
from archspec.bundle.parity import float_arrays
from archspec.checking.checks import accepted
from archspec.contract.report import ContractReport, Finding
from archspec.ir.parts import part_of_parameter
from archspec.lower.rank_programs import RankPlan, rank_plan
from archspec.spec.claims import Claims

if TYPE_CHECKING:
    from archspec.model.runner import Array

CLOSED = "an engine of a rank runs only together with the others, on GPUs and a communicator that the caller provides"


def verify_ranks(
    bundle: Bundle, tensor: TensorEntry, claims: Claims, weights: Mapping[str, Array]
) -> Iterator[ContractReport]:
    """Yield a report on the files of each rank; why engines are not opened is a finding."""
    assert claims.spec is not None
    checked = accepted(claims.spec, unproved=True)
    split = rank_plan(checked.spec, tensor.ranks)
    for program, text in zip(tensor.programs, split.texts(checked), strict=True):
        findings = [
            _source(bundle, program, text),
            _weights(bundle, program, split, weights),
            *(_closed(entry) for entry in program.artifacts),
        ]
        subject = f"{bundle.path.name}: rank {program.rank} of {tensor.ranks}"
        yield ContractReport(subject=subject, claims=claims.name, findings=tuple(findings))


def _closed(entry: ArtifactEntry) -> Finding:
    """Why an engine of a rank is not opened."""
    claim = f"{entry.target} opens on this host"
    return Finding(claim=claim, status="not measured", detail=unopened(entry, CLOSED))


def _source(bundle: Bundle, program: RankEntry, text: str) -> Finding:
    """Whether the module of a rank is what the spec compiles to."""
    claim = f"{program.source} equals what the spec compiles to"
    if (bundle.path / program.source).read_text(encoding="utf-8") == text:
        return Finding(claim=claim, status="holds", trials=1)
    detail = "build the bundle again: it was written by another version, or edited"
    return Finding(claim=claim, status="violated", detail=detail)


def _weights(bundle: Bundle, program: RankEntry, split: RankPlan, weights: Mapping[str, Array]) -> Finding:
    """Whether a rank has its parts of the bundle's weights, and nothing else."""
    claim = f"{program.weights} has its parts of {bundle.manifest.weights.path}"
    own, ranks = float_arrays(bundle.path / program.weights), split.plan.ranks
    wrong = sorted(own.keys() ^ weights.keys())
    for name in own.keys() & weights.keys():
        part = part_of_parameter(weights[name], split.placements[name], program.rank, ranks)
        wrong += [] if np.array_equal(own[name], part) else [name]
    if wrong:
        return Finding(
            claim=claim, status="violated", detail=f"`{sorted(wrong)[0]}` is not the part of rank {program.rank}"
        )
    return Finding(claim=claim, status="holds", trials=1)
