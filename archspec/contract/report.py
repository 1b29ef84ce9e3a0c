"""What the contract found, as a table and as plain data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

from archspec.record import record

Status = Literal["holds", "violated", "not measured"]


@record
class Finding:
    """One claim: whether it held, over how many runs, how far anything moved that must stay, and what showed it."""

    claim: str
    status: Status
    detail: str = ""
    trials: int = 0
    largest: float = 0.0


def merged(findings: Iterable[Finding]) -> Finding:
    """One finding of those on a claim at several sizes, made one after another as far as the first violation.

    What rounding may hide at one size is not measured; what cannot be tried at one size is judged by the others.
    """
    found: list[Finding] = []
    for one in findings:
        found.append(one)
        if one.status == "violated":
            break
    hidden = [one for one in found if one.status == "not measured" and one.trials]
    holding = [one for one in found if one.status == "holds"]
    first = found[-1] if found[-1].status == "violated" else (hidden or holding or found)[0]
    notes = dict.fromkeys(part for one in holding for part in one.detail.split("; ") if part)
    detail = "; ".join(notes) if first.status == "holds" else first.detail
    trials, largest = sum(one.trials for one in found), max(one.largest for one in found)
    return replace(first, trials=trials, largest=largest, detail=detail)


@record
class ContractReport:
    """All findings about one subject."""

    subject: str
    claims: str
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is violated; what could not be measured is no violation."""
        return not self.violations

    @property
    def violations(self) -> tuple[Finding, ...]:
        """What does not hold."""
        return tuple(found for found in self.findings if found.status == "violated")

    def to_json(self) -> dict[str, Any]:
        """The report for programs."""
        # JSON has no infinity.
        findings = [asdict(found) | {"largest": min(found.largest, sys.float_info.max)} for found in self.findings]
        return {"subject": self.subject, "claims": self.claims, "holds": self.holds, "findings": findings}

    def __str__(self) -> str:
        """The report for people: a line for each claim, and below it what showed that it does not hold."""
        width = max((len(found.claim) for found in self.findings), default=0)
        lines = [f"{self.subject} against {self.claims}"]
        for found in self.findings:
            lines.append(f"  {found.claim:<{width}}  {_outcome(found)}")
            if found.detail and found.status != "holds":
                lines.append(f"      {found.detail}")
        return "\n".join(lines)


def _outcome(found: Finding) -> str:
    if found.status != "holds":
        return found.status
    runs = "1 trial" if found.trials == 1 else f"{found.trials} trials"
    moved = f"rounding up to {found.largest:.1e}" if found.largest else ""
    return f"holds ({', '.join(part for part in (runs, moved, found.detail) if part)})"


def shown(sizes: Mapping[str, int]) -> str:
    """Sizes for a reader: `batch=3, tokens=5`."""
    return ", ".join(f"{name}={size}" for name, size in sizes.items())
