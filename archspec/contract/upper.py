"""Checks upper rules, and the independence of the rows of leading dims, by perturbation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archspec.algebra.dim import Symbol
from archspec.contract.perturb import Perturbation
from archspec.contract.probes import InputProbe, independence, probes
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.contract.sizes import Point
from archspec.contract.sweep import sweep
from archspec.model.runner import Arrays
from archspec.model.samples import generate, patterns
from archspec.record import record
from archspec.rules.kind import UpperKind, rule_kinds
from archspec.rules.measure import UnmeasurableError, spaced
from archspec.spec import Rule
from archspec.spec.claims import Claims

Probing = Callable[[Arrays, int], Iterable[InputProbe]]
# Rounds over all padding patterns at the main point, for a rule with a `where`.
_DRAWS = 4
# The numbers of probes on inputs after the first ones, at the main point and at the others.
_SOME, _FEW = 12, 4


def upper(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    """Check an upper rule at one point.

    Args:
        claims: declared inputs and outputs.
        subject: the model.
        rule: a rule of an `UpperKind`.
        point: the sizes; at the main point all padding patterns are run.
        seed: seed of the inputs and of their perturbations.

    Returns:
        `violated` with the first leak, `holds` if something could be changed, else `not measured`.

    Raises:
        SpecError: if the model fails to run.
    """
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, UpperKind)
    judging = _Judging(claims=claims, subject=subject, point=point, seed=seed, rule=rule)
    return judging.found(str(rule), kind.promise(rule), lambda x, most: probes(claims, rule, x, point.sizes, most))


def independent(claims: Claims, subject: Subject, symbol: Symbol, point: Point, seed: int) -> Finding | None:
    """Check that no row of a leading dim depends on another. None if no probe is possible, as with a single row."""
    made = tuple(independence(claims, symbol, point.sizes))
    judging = _Judging(claims=claims, subject=subject, point=point, seed=seed)
    return judging.found(f"independent({symbol.name})", "", lambda _, __: made) if made else None


@record(eq=False)
class _Try:
    """One set of inputs, how they were made, and the largest number of probes to run on them."""

    arrays: Arrays
    seed: int
    origin: str
    most: int
    is_partial: bool = False


@record(eq=False)
class _Judging:
    """A subject at one point, and the rule that is judged, None for the independence of rows.

    On the first inputs every probe is run that the limit of the point admits; on others, which differ in padding, a
    selection. Away from the main point a rule without `where` is tried under the first pattern only. Then the inputs
    that the rule names as masks or segments are arranged so that every pair of positions is told apart.
    """

    claims: Claims
    subject: Subject
    point: Point
    seed: int
    rule: Rule | None = None

    def found(self, claim: str, promise: str, probing: Probing) -> Finding:
        """Run the probes up to the first leak.

        Args:
            claim: the text of the claim.
            promise: a note on what the claim assumes, for the detail of a claim that holds.
            probing: makes the probes of given inputs, up to a number.
        """
        trials, largest, is_partial = 0, 0.0, False
        try:
            for probe, trial, made in self.trials(probing):
                outcome = trial.run(probe)
                if outcome is None:
                    continue
                trials, largest = trials + 1, max(largest, outcome.largest)
                is_partial = is_partial or made.is_partial or (probe.is_partial and made.most == self.point.runs)
                if outcome.leak is not None:
                    detail = f"{outcome.leak}, at {shown(self.point.sizes)}, {made.origin}"
                    return Finding(claim=claim, status="violated", detail=detail, trials=trials, largest=largest)
        except UnmeasurableError as error:
            return Finding(claim=claim, status="not measured", detail=str(error))
        if not trials:
            detail = f"nothing can change at {shown(self.point.sizes)}"
            return Finding(claim=claim, status="not measured", detail=detail)
        partly = f"not every pair was tried at {shown(self.point.sizes)}" if is_partial else ""
        detail = "; ".join(part for part in (promise, self.point.note, partly) if part)
        return Finding(claim=claim, status="holds", detail=detail, trials=trials, largest=largest)

    def trials(self, probing: Probing) -> Iterator[tuple[InputProbe, Perturbation, _Try]]:
        """Every probe that is run, with its inputs and how they were made."""
        for made in self.tries():
            trial = Perturbation(
                claims=self.claims, subject=self.subject, arrays=made.arrays, sizes=self.point.sizes, seed=made.seed
            )
            for probe in spaced(tuple(probing(made.arrays, made.most)), made.most):
                yield probe, trial, made

    def tries(self) -> Iterator[_Try]:
        """The inputs: every padding pattern that the point requests, then the arrangements of what the rule names."""
        known, draws = patterns(self.claims), 1
        is_hiding = self.rule is not None and self.rule.where is not None
        if self.point.is_main:
            # Which positions are padding decides what a rule about padding can show, so that several draws are needed.
            draws = _DRAWS if is_hiding else 1
        elif not is_hiding:
            known = known[:1]
        for number, pattern in enumerate(known * draws):
            arrays = generate(self.claims, self.point.sizes, pattern, self.seed + number)
            most = self.point.runs if number == 0 else min(self.point.runs, _SOME if self.point.is_main else _FEW)
            yield _Try(arrays=arrays, seed=self.seed + number, origin=_NAMES[pattern], most=most)
        if self.rule is not None:
            for one in sweep(self.claims, self.rule, self.point.sizes, self.seed, self.point.runs // _FEW):
                origin = f"with `{one.name}` arranged in turn"
                yield _Try(arrays=one.arrays, seed=self.seed, origin=origin, most=_FEW, is_partial=one.is_partial)


_NAMES = {
    "whole": "no padding",
    "right": "padded at the right",
    "left": "padded at the left",
    "scattered": "scattered padding",
    "empty row": "a row of padding only",
}
