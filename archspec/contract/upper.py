"""Checks upper rules, and the independence of the rows of leading dims, by perturbation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from archspec.algebra.dim import Symbol
from archspec.contract.perturb import Perturbation
from archspec.contract.probes import InputProbe, independence, probes
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.contract.sizes import Point
from archspec.model.runner import Arrays
from archspec.model.samples import generate, patterns
from archspec.record import record
from archspec.rules.kind import UpperKind, rule_kinds
from archspec.rules.measure import UnmeasurableError
from archspec.spec import Rule
from archspec.spec.claims import Claims

Probing = Callable[[Arrays], Iterable[InputProbe]]
# Rounds over all padding patterns at the main point, for a rule with a `where`.
_DRAWS = 4
# The number of probes that are run for each pattern at the other points.
_FEW = 4


def upper(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    """Check an upper rule at one point.

    Args:
        claims: declared inputs and outputs.
        subject: the model.
        rule: a rule of an `UpperKind`.
        point: the sizes; at the main point all padding patterns and probes are run.
        seed: seed of the inputs and of their perturbations.

    Returns:
        `violated` with the first leak, `holds` if something could be changed, else `not measured`.

    Raises:
        SpecError: if the model fails to run.
    """
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, UpperKind)
    # Which positions are padding decides what a rule about padding can show, so that several draws are needed.
    draws = 1 if rule.where is None else _DRAWS
    judging = _Judging(claims=claims, subject=subject, point=point, seed=seed, draws=draws)
    return judging.found(str(rule), kind.promise(rule), lambda x: probes(claims, rule, x, point.sizes))


def independent(claims: Claims, subject: Subject, symbol: Symbol, point: Point, seed: int) -> Finding | None:
    """Check that no row of a leading dim depends on another. None if no probe is possible, as with a single row."""
    made = tuple(independence(claims, symbol, point.sizes))
    judging = _Judging(claims=claims, subject=subject, point=point, seed=seed)
    return judging.found(f"independent({symbol.name})", "", lambda _: made) if made else None


@record(eq=False)
class _Judging:
    """A subject at one point: at the main point all probes of each padding pattern are run, elsewhere a selection.

    Away from the main point, a claim with several `draws` is tried under every pattern, any other under the first one.
    """

    claims: Claims
    subject: Subject
    point: Point
    seed: int
    draws: int = 1

    def found(self, claim: str, promise: str, probing: Probing) -> Finding:
        """Run the probes up to the first leak.

        Args:
            claim: the text of the claim.
            promise: a note on what the claim assumes, for the detail of a claim that holds.
            probing: makes the probes of given inputs.
        """
        trials, largest = 0, 0.0
        try:
            for probe, trial, pattern in self.trials(probing):
                outcome = trial.run(probe)
                if outcome is None:
                    continue
                trials, largest = trials + 1, max(largest, outcome.largest)
                if outcome.leak is not None:
                    detail = f"{outcome.leak}, at {shown(self.point.sizes)}, {_NAMES[pattern]}"
                    return Finding(claim=claim, status="violated", detail=detail, trials=trials, largest=largest)
        except UnmeasurableError as error:
            return Finding(claim=claim, status="not measured", detail=str(error))
        if not trials:
            detail = f"nothing can change at {shown(self.point.sizes)}"
            return Finding(claim=claim, status="not measured", detail=detail)
        detail = "; ".join(part for part in (promise, self.point.note) if part)
        return Finding(claim=claim, status="holds", detail=detail, trials=trials, largest=largest)

    def trials(self, probing: Probing) -> Iterator[tuple[InputProbe, Perturbation, str]]:
        """Every probe that is run, with its inputs and their padding pattern."""
        known = patterns(self.claims)
        if not self.point.is_main:
            known = known[:1] if self.draws == 1 else known
        draws = self.draws if self.point.is_main else 1
        for number, pattern in enumerate(known * draws):
            seed, sizes = self.seed + number, self.point.sizes
            arrays = generate(self.claims, sizes, pattern, seed)
            trial = Perturbation(claims=self.claims, subject=self.subject, arrays=arrays, sizes=sizes, seed=seed)
            made = tuple(probing(arrays))
            for probe in made if self.point.is_main else _some(made):
                yield probe, trial, pattern


def _some(made: Sequence[InputProbe]) -> Sequence[InputProbe]:
    """At most `_FEW` evenly spaced probes, with both ends."""
    if len(made) <= _FEW:
        return made
    return [made[round(place * (len(made) - 1) / (_FEW - 1))] for place in range(_FEW)]


_NAMES = {
    "whole": "no padding",
    "right": "padded at the right",
    "left": "padded at the left",
    "scattered": "scattered padding",
    "empty row": "a row of padding only",
}
