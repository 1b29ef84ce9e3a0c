"""Checking a spec: it loads, its counts hold, and each rule has a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from archspec.analyses.cost import Cost, cost
from archspec.diagnostics import Diagnostic, SpecError
from archspec.record import record
from archspec.spec import Rule, Spec, check_counts, load

Status = Literal["not judged"]
"""What is known of a rule. There is no prover yet: every rule is typed, and none is judged."""


@record
class Verdict:
    """A rule and what is known of it."""

    rule: Rule
    status: Status


@record
class Report:
    """What `check` found: the spec, its cost, a verdict for each rule, and diagnostics (warnings when it holds)."""

    spec: Spec
    cost: Cost
    verdicts: tuple[Verdict, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong; warnings do not count."""
        return all(found.severity != "error" for found in self.diagnostics)


def check(source: str | Path | Spec, *, set: Mapping[str, str] | Sequence[str] = (), reduced: bool = False) -> Report:
    """Check a spec: a file, the name of a shipped spec, or one that is loaded.

    `set` overrides constants and paths as `--set` does; `reduced` takes the small copy. Declared counts are compared
    only for the file's own constants. Raises SpecError where the spec does not load.
    """
    spec = source if isinstance(source, Spec) else load(source, set=set, reduced=reduced)
    counted = cost(spec.graph)
    return Report(
        spec=spec,
        cost=counted,
        verdicts=tuple(Verdict(rule=rule, status="not judged") for rule in spec.rules),
        diagnostics=(*spec.warnings, *check_counts(spec, counted)),
    )


__all__ = ["Report", "SpecError", "Verdict", "check"]
