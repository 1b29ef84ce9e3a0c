"""A figure, with its bound where it has one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured figure. `unit` is s, ms, min, x (a ratio), %, MB or lines; `bound` is the most that it may be."""

    what: str
    value: float
    unit: str
    bound: float | None = None
    detail: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        return None if self.bound is None else self.value <= self.bound

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        bound = "" if self.bound is None else f"<= {self.bound:g}"
        verdict = {True: "yes", False: "NO", None: ""}[self.holds]
        return (self.what, f"{self.value:.4g} {self.unit}", bound, verdict, self.detail)

    def data(self) -> dict[str, object]:
        """The row for programs."""
        return {**asdict(self), "holds": self.holds}


def spread(times: list[float]) -> str:
    """Median and range of times in seconds, as milliseconds."""
    return f"{median(times) * 1e3:.1f} ms ({min(times) * 1e3:.1f} to {max(times) * 1e3:.1f})"
