"""The type of a spec whose rules have been judged."""

from __future__ import annotations

from archspec.analyses.cost import Cost
from archspec.diagnostics import Diagnostic
from archspec.record import record
from archspec.rules.verdict import Verdict
from archspec.spec import Spec


@record(eq=False)
class Checked:
    """A spec that was judged and accepted.

    Only `archspec.checking` makes one, and everything that emits, builds, generates or attends takes nothing else. That
    a spec whose rules do not hold is not compiled is thus enforced by types.

    `diagnostics` are those of the check. `unproved` says that errors are among them and that the caller accepted the
    spec anyway; whatever is made from the spec repeats that.
    """

    spec: Spec
    cost: Cost
    verdicts: tuple[Verdict, ...]
    diagnostics: tuple[Diagnostic, ...]
    # Stored next to the diagnostics, so that whatever is made from the spec can state it.
    unproved: bool

    @property
    def faults(self) -> tuple[str, ...]:
        """The messages of the errors; empty where everything holds."""
        return tuple(found.message for found in self.diagnostics if found.severity == "error")
