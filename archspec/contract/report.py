"""Results of a verification, as a table and as plain data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Literal

from archspec.record import record

Status = Literal["holds", "violated", "not measured"]


@record
class Finding:
    """The result for one claim.

    `trials` is the number of comparisons, `largest` the largest movement or difference that was seen where there should
    be none, and `detail` describes the violation, the reason for not measuring, or a limitation.
    """

    claim: str
    status: Status
    detail: str = ""
    trials: int = 0
    largest: float = 0.0


def merged(findings: Iterable[Finding]) -> Finding:
    """Merge the findings on one claim at several sizes; the iterable is read up to the first violation only.

    Without a violation, a dependence that rounding may hide at one size makes the result `not measured`. A size at
    which nothing could be tried (no trials) is decided by the others.

    Args:
        findings: at least one finding, all on the same claim.
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
        """Whether no claim is violated; claims that could not be measured do not count as violated."""
        return not self.violations

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings whose claims are violated."""
        return tuple(found for found in self.findings if found.status == "violated")

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-compatible data."""
        # JSON has no infinity, which `largest` is if a value is not finite.
        findings = [asdict(found) | {"largest": min(found.largest, sys.float_info.max)} for found in self.findings]
        return {"subject": self.subject, "claims": self.claims, "holds": self.holds, "findings": findings}

    def __str__(self) -> str:
        """The report as text: one line for each claim, and the detail below it unless the claim holds."""
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
    """Sizes as text: `batch=3, tokens=5`."""
    return ", ".join(f"{name}={size}" for name, size in sizes.items())
