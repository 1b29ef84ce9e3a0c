"""Upper rules, and the independence of leading dims, by perturbation."""

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
_DRAWS = 4
_FEW = 4


def upper(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    """Judge an upper rule under every pattern of its inputs."""
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, UpperKind)
    # Where padding stands decides what a rule about it can show.
    draws = 1 if rule.where is None else _DRAWS
    judging = _Judging(claims=claims, subject=subject, point=point, seed=seed, draws=draws)
    return judging.found(str(rule), kind.promise(rule), lambda x: probes(claims, rule, x, point.sizes))


def independent(claims: Claims, subject: Subject, symbol: Symbol, point: Point, seed: int) -> Finding | None:
    """Judge a dim that leads an input: no row depends on another. None where there is one row."""
    made = tuple(independence(claims, symbol, point.sizes))
    judging = _Judging(claims=claims, subject=subject, point=point, seed=seed)
    return judging.found(f"independent({symbol.name})", "", lambda _: made) if made else None


@record(eq=False)
class _Judging:
    """A subject at some sizes: at the main ones every probe of each pattern is run, elsewhere some.

    A claim that several draws of a pattern decide is tried under every pattern, others elsewhere without padding.
    """

    claims: Claims
    subject: Subject
    point: Point
    seed: int
    draws: int = 1

    def found(self, claim: str, promise: str, probing: Probing) -> Finding:
        """The first leak that a probe shows; else that the claim holds, if anything could be changed."""
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
        """Every probe that is run, with its inputs and their pattern."""
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
    """Some probes, with both ends."""
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
