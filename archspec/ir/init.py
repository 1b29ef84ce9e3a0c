"""How parameters are initialised."""

from __future__ import annotations

from archspec.record import record


@record
class Init:
    """The initialisation of a parameter.

    `kind` is normal, truncated_normal, uniform, xavier_uniform, kaiming_normal or constant; `value` is its number,
    which `xavier_uniform` and `kaiming_normal` do not use.
    """

    kind: str
    value: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}({self.value:g})" if self.kind not in ("xavier_uniform", "kaiming_normal") else self.kind
