"""Upper rules, and the independence of leading dims, by perturbation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from archspec.contract.perturb import Trial
from archspec.contract.probes import Probe, independence, probes
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, shown
from archspec.model.runner import Arrays
from archspec.model.samples import generate, patterns
from archspec.model.sizes import leading
from archspec.rules.kind import UpperKind, rule_kinds
from archspec.rules.measure import UnmeasurableError
from archspec.spec import Rule
from archspec.spec.claims import Claims

Probing = Callable[[Arrays], Iterable[Probe]]


def upper(claims: Claims, subject: Subject, rule: Rule, sizes: Mapping[str, int], seed: int) -> Finding:
    """Judge an upper rule under every pattern of its inputs."""
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, UpperKind)
    return _judged(
        str(rule), kind.promise(rule), claims, subject, sizes, seed, lambda x: probes(claims, rule, x, sizes)
    )


def independent(claims: Claims, subject: Subject, sizes: Mapping[str, int], seed: int) -> Iterator[Finding]:
    """Judge each dim that leads an input: no row depends on another."""
    for symbol in leading(claims):
        made = tuple(independence(claims, symbol, sizes))
        if made:
            claim = f"independent({symbol.name})"
            yield _judged(claim, "", claims, subject, sizes, seed, partial(_same, made))


def _same(made: tuple[Probe, ...], arrays: Arrays) -> tuple[Probe, ...]:
    return made


def _judged(
    claim: str,
    promise: str,
    claims: Claims,
    subject: Subject,
    sizes: Mapping[str, int],
    seed: int,
    probing: Probing,
) -> Finding:
    trials, largest = 0, 0.0
    try:
        for number, pattern in enumerate(patterns(claims)):
            arrays = generate(claims, sizes, pattern, seed + number)
            trial = Trial(claims=claims, subject=subject, arrays=arrays, sizes=sizes, seed=seed + number)
            for probe in probing(arrays):
                outcome = trial.run(probe)
                if outcome is None:
                    continue
                trials, largest = trials + 1, max(largest, outcome.largest)
                if outcome.leak is not None:
                    detail = f"{outcome.leak}, at {shown(sizes)}, {_NAMES[pattern]}"
                    return Finding(claim=claim, status="violated", detail=detail, trials=trials, largest=largest)
    except UnmeasurableError as error:
        return Finding(claim=claim, status="not measured", detail=str(error))
    if not trials:
        detail = f"nothing can change at {shown(sizes)}"
        return Finding(claim=claim, status="not measured", detail=detail)
    return Finding(claim=claim, status="holds", detail=promise, trials=trials, largest=largest)


_NAMES = {
    "whole": "no padding",
    "right": "padded at the right",
    "left": "padded at the left",
    "scattered": "padding scattered",
    "empty row": "a row all padding",
}
