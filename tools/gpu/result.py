"""What was found: a time, or a verdict, or the reason why there is neither."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One way of running a model at one batch. Shares are of what this card reached in the same run."""

    model: str
    dtype: str
    batch: int
    way: str
    milliseconds: float | None = None
    matrix_share: float | None = None
    bandwidth_share: float | None = None
    reason: str = ""

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        if self.milliseconds is None or self.matrix_share is None or self.bandwidth_share is None:
            return (self.model, self.dtype, str(self.batch), self.way, "-", "-", "-", self.reason)
        figures = (f"{self.milliseconds:.3f}", f"{self.matrix_share:.1%}", f"{self.bandwidth_share:.1%}")
        return (self.model, self.dtype, str(self.batch), self.way, *figures, self.reason)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One artifact against the contract of its spec: `holds`, `violated`, or `cannot run`."""

    model: str
    target: str
    status: str
    claims: int = 0
    reason: str = ""

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        return (self.model, self.target, self.status, str(self.claims), self.reason)


def plain(rows: list[Timed] | list[Judged]) -> list[dict[str, object]]:
    """The rows for programs."""
    return [asdict(row) for row in rows]
