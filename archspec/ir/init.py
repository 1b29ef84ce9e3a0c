"""How parameters start."""

from __future__ import annotations

from archspec.record import record


@record
class Init:
    """How a parameter starts: normal, truncated_normal, uniform, xavier_uniform, kaiming_normal or constant."""

    kind: str
    value: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}({self.value:g})" if self.kind not in ("xavier_uniform", "kaiming_normal") else self.kind
