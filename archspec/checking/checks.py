"""Checking a spec: it loads, its counts hold, each rule has a verdict, and the result is accepted or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from archspec.analyses.cost import Cost, cost
from archspec.checking.lowerable import lowering_diagnostics
from archspec.diagnostics import Diagnostic, SpecError
from archspec.model.checked import Checked
from archspec.record import record
from archspec.rules.judge import Judge
from archspec.rules.unstated import unstated
from archspec.rules.verdict import Verdict
from archspec.spec import Spec, check_counts, load
from archspec.spec.decode import check_ids

SpecSource = str | Path | Spec | Checked
"""A file, the name of a shipped spec, a loaded spec, or one that was accepted before."""


@record
class Report:
    """What `check` found: the spec, its cost, a verdict for each rule, and diagnostics (only warnings if it holds).

    The last verdicts are those on what is always checked: that the positions of each dim that leads inputs are
    independent.
    """

    spec: Spec
    cost: Cost
    verdicts: tuple[Verdict, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def holds(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return all(found.severity != "error" for found in self.diagnostics)

    def accept(self, *, unproved: bool = False) -> Checked:
        """The spec as one that may be compiled.

        Args:
            unproved: accept it although something does not hold; the result records that.

        Raises:
            SpecError: with the diagnostics of the check, where something does not hold and `unproved` is false.
        """
        # `unproved` is the only way past an error, and the result records that there was one.
        if not (self.holds or unproved):
            raise SpecError(self.diagnostics)
        # The one place where a `Checked` is made, which a test enforces.
        return Checked(
            spec=self.spec,
            cost=self.cost,
            verdicts=self.verdicts,
            diagnostics=self.diagnostics,
            unproved=not self.holds,
        )


def check(source: str | Path | Spec, *, set: Mapping[str, str] | Sequence[str] = (), reduced: bool = False) -> Report:
    """Check everything that a spec says: a file, the name of a shipped spec, or a loaded one.

    Counts, rules and weight layouts are checked, and whether a PyTorch module can express the graph. `set` overrides
    constants and paths as `--set` does; `reduced` takes the small copy. Declared counts are only compared for the
    file's own constants. A rule that is violated or not proved is an error; a property that a rule should state and
    none does is a warning. Raises SpecError where the spec does not load.
    """
    spec = source if isinstance(source, Spec) else load(source, set=set, reduced=reduced)
    counted = cost(spec.graph)
    judge = Judge(spec)
    verdicts = judge.verdicts()
    fallen = (found for verdict in verdicts for found in verdict.diagnostics)
    layouts: tuple[Diagnostic, ...] = ()
    if spec.weights:
        # Only a spec with a `weights` section pays for the import.
        from archspec.layouts.check import layout_diagnostics

        layouts = layout_diagnostics(spec)
    return Report(
        spec=spec,
        cost=counted,
        verdicts=verdicts,
        diagnostics=(
            *spec.warnings,
            *check_counts(spec, counted),
            *check_ids(spec),
            *lowering_diagnostics(spec),
            *layouts,
            *unstated(spec, judge.dependence, judge.promises),
            *fallen,
        ),
    )


def accepted(
    source: SpecSource,
    *,
    set: Mapping[str, str] | Sequence[str] = (),
    reduced: bool = False,
    unproved: bool = False,
) -> Checked:
    """Check a spec and accept it; a `Checked` is returned as it is.

    Arguments are those of `check` and `Report.accept`. Raises SpecError where the spec does not load, or does not hold
    and `unproved` is false.
    """
    if isinstance(source, Checked):
        return source
    return check(source, set=set, reduced=reduced).accept(unproved=unproved)
