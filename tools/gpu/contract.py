"""The contract on every artifact that a host can build and open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from card import Card
from result import Judged

import archspec
from archspec.bundle.verify import verify_bundle
from archspec.contract.report import ContractReport
from archspec.diagnostics import SpecError

OWN = ("inductor:cuda", "torch-tensorrt", "tensorrt-rtx")
"""What is for a GPU alone."""


def targets(card: Card) -> tuple[str, ...]:
    """What is tried: everything that runs on processors, and what is for this card."""
    everywhere = ("onnx", "openvino", "inductor")
    if card.device != "cuda":
        return everywhere
    return (*everywhere, *OWN[:2], f"{OWN[2]}:{card.capability()}")


def judged(name: str, card: Card, folder: Path) -> Iterator[Judged]:
    """A row for each target of a spec at its reduced size, each a bundle of its own: one that fails stops no other."""
    spec = archspec.load(name, reduced=True)
    for target in targets(card):
        try:
            bundle = archspec.build(spec, folder / spec.name / target.replace(":", "-"), targets=[target])
            reports = list(verify_bundle(bundle))
        except SpecError as error:
            yield Judged(model=name, target=target, status="cannot run", reason=error.diagnostics[0].message)
            continue
        yield from (_row(name, target, report) for report in reports if _is_of(report, target))


def _is_of(report: ContractReport, target: str) -> bool:
    """Whether a report is on the artifact: the bundle's module has one too, and its folder is called as the target."""
    _, _, subject = report.subject.partition(": ")
    return subject.startswith(f"{target},")


def _row(name: str, target: str, report: ContractReport) -> Judged:
    broken = [finding for finding in report.findings if finding.status == "violated"]
    if broken:
        reason = f"{broken[0].claim}: {broken[0].detail}"
        return Judged(model=name, target=target, status="violated", claims=len(report.findings), reason=reason)
    measured = [finding for finding in report.findings if finding.status == "holds"]
    if not measured:
        return Judged(model=name, target=target, status="cannot run", reason=report.findings[0].detail)
    return Judged(model=name, target=target, status="holds", claims=len(measured))
