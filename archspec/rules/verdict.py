"""The result of judging a rule."""

from __future__ import annotations

from typing import Literal

from archspec.diagnostics import Diagnostic
from archspec.record import record
from archspec.rules.independence import Independent
from archspec.rules.leaked import LeakPath
from archspec.spec import Rule

Status = Literal["proved", "violated", "unknown", "wired"]
"""`proved`: at all sizes, for all values of the controls.

`violated`: a witness is known. `unknown`: neither. `wired`: a lower rule that holds at small sizes.
"""


class TooManyPositions(Exception):
    """A value has too many positions to be traced one by one."""

    def __init__(self, name: str, count: int) -> None:
        super().__init__(f"`{name}` has {count:,} positions, too many to trace one by one")


@record
class Verdict:
    """A rule, its status, and a short explanation; `diagnostics` say why it falls short.

    `leak` is the path of a violation, None where there is none or it is not a path.
    """

    rule: Rule | Independent
    status: Status
    explanation: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    leak: LeakPath | None = None

    @property
    def holds(self) -> bool:
        """Whether the rule is proved or wired; every other status refuses the spec."""
        return self.status in ("proved", "wired")
