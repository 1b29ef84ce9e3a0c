"""Verification of a model against its claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from archspec.contract.affine import affine
from archspec.contract.alone import rows_alone
from archspec.contract.basics import basics
from archspec.contract.counted import hiding
from archspec.contract.explaining import explained
from archspec.contract.lower import lower
from archspec.contract.parity import parity
from archspec.contract.perturb import EXACT_TOLERANCE
from archspec.contract.protocol import Subject
from archspec.contract.report import ContractReport, Finding, merged
from archspec.contract.sizes import Point, probe, rule_points
from archspec.contract.stepped import CLAIM, EXACT, Stepped, decoded, stepped
from archspec.contract.symmetry import symmetric
from archspec.contract.upper import independent, upper
from archspec.diagnostics import SpecError
from archspec.model.runner import Array
from archspec.model.samples import OPEN, generate
from archspec.model.sizes import leading
from archspec.passes.round_operands import rounds
from archspec.rules.kind import AffineKind, LowerKind, RowsKind, UpperKind, rule_kinds
from archspec.rules.symmetric import SymmetricKind
from archspec.spec import Rule
from archspec.spec.claims import Claims


def verify(
    subject: Subject, claims: Claims, *, parameters: Mapping[str, Array] | None = None, seed: int = 0
) -> ContractReport:
    """Check a subject against every claim.

    Args:
        subject: the model, whose inputs and outputs have the names of the claims.
        claims: sizes, inputs, outputs and rules.
        parameters: the model's parameters by the names of the spec; if given, and the claims have a spec, outputs are
            compared with the interpreter too.
        seed: seed of the inputs and of their perturbations.

    Returns:
        a finding for each claim. A model that fails to run violates the claim `runs`, which ends the report.
    """
    findings: list[Finding] = []
    try:
        for found in findings_of(subject, claims, parameters=parameters, seed=seed):
            findings.append(found)  # noqa: PERF402 - what was found before a failure is kept
    except SpecError as error:
        first = error.diagnostics[0]
        detail = "; ".join((first.message, *first.notes))
        findings.append(Finding(claim="runs", status="violated", detail=detail))
    return ContractReport(subject=subject.name, claims=claims.name, findings=tuple(findings))


def findings_of(
    subject: Subject, claims: Claims, *, parameters: Mapping[str, Array] | None = None, seed: int = 0
) -> Iterator[Finding]:
    """Yield the findings one by one as they are made; the arguments are those of `verify`.

    If a basic claim is violated, rules are not measured and outputs are not compared with the interpreter.

    Raises:
        SpecError: if the model fails to run.
    """
    first = tuple(basics(claims, subject, seed))
    yield from first
    broken = [found.claim for found in first if found.status == "violated"]
    if broken:
        # Outputs that are random or not finite differ between runs without any change of the inputs.
        detail = f"`{broken[0]}` must hold first"
        yield from (Finding(claim=str(rule), status="not measured", detail=detail) for rule in claims.rules)
        return
    yield from _rules(claims, subject, seed)
    if subject.steps is not None:
        yield in_steps(claims, _running(subject, claims, probe(claims), seed), seed)
    if parameters is not None and claims.spec is not None:
        sizes = probe(claims)
        yield parity(claims, claims.spec, _running(subject, claims, sizes, seed), parameters, sizes, seed)


def in_steps(claims: Claims, subject: Subject, seed: int) -> Finding:
    """Hold the steps of a subject, and those of its float64 twin, to its own full forward.

    Raises:
        SpecError: if the model fails to run.
    """
    try:
        known = decoded(claims)
    except SpecError as error:
        return Finding(claim=CLAIM, status="not measured", detail=error.diagnostics[0].message)
    assert known is not None
    assert subject.steps is not None
    judged = [Stepped(steps=subject.steps, full=subject.runner, tolerance=subject.precision.parity)]
    if subject.exact is not None and subject.exact_steps is not None:
        twin = Stepped(steps=subject.exact_steps, full=subject.exact, tolerance=EXACT, how=" in float64")
        judged = [twin, replace(judged[0], twin=subject.exact)]
        # In float32, a number half-way between two of a grid may go to either.
        if claims.spec is not None and rounds(claims.spec.graph):
            judged = [twin]
    return stepped(known, judged, seed)


def _rules(claims: Claims, subject: Subject, seed: int) -> Iterator[Finding]:
    """Check the independence of rows and every rule, each at the points of `rule_points` up to its first violation."""
    tried = [(point, _usable(subject, claims, point.sizes, seed)) for point in rule_points(claims)]
    rows: list[Finding] = []
    for symbol in leading(claims):
        found = [independent(claims, able, symbol, point, seed) for point, able in tried]
        made = [one for one in found if one is not None]
        if made:
            rows.append(explained(claims, subject, merged(made), seed))
    yield from rows
    # If other rows stay the same bit for bit, the computation does not depend on the values, so that any movement of a
    # held position is a leak and not rounding.
    still = bool(rows) and all(found.status == "holds" and found.largest == 0 for found in rows)
    tried = [(point, replace(able, is_still=still)) for point, able in tried]
    loud = _loud(subject, claims, seed)
    for rule in claims.rules:
        held = merged(_judge(claims, able, rule, point, seed) for point, able in tried)
        yield held if loud is None or held.status != "holds" else _at_large_scores(claims, loud, rule, held, seed)


def _loud(subject: Subject, claims: Claims, seed: int) -> Subject | None:
    """The subject with the largest parameters with which its outputs stay finite; None if there are none."""
    for runner in subject.loud() if subject.loud is not None else ():
        one = replace(subject, runner=runner, exact=runner, tolerance=EXACT_TOLERANCE, is_loud=True)
        if _usable(one, claims, probe(claims), seed).exact is not None:
            return replace(one, exact=None)
    return None


def _at_large_scores(claims: Claims, loud: Subject, rule: Rule, found: Finding, seed: int) -> Finding:
    """The finding that a rule holds, or the violation that large scores show: a finite bias instead of a mask."""
    if not isinstance(rule_kinds()[rule.kind], UpperKind):
        return found
    again = upper(claims, loud, rule, rule_points(claims)[0], seed)
    if again.status != "violated":
        return found
    reason = (
        "only where scores are large: a negative bias is used instead of a mask; use -inf, or the dtype's lowest value"
    )
    return replace(again, detail=f"{again.detail}; {reason}", trials=found.trials + again.trials)


def _running(subject: Subject, claims: Claims, sizes: Mapping[str, int], seed: int) -> Subject:
    """The subject, without its float64 twin if that fails to run: some models name float32 in their code."""
    return subject if _twin(subject, claims, sizes, seed) is not None else replace(subject, exact=None, gradients=())


def _usable(subject: Subject, claims: Claims, sizes: Mapping[str, int], seed: int) -> Subject:
    """The subject, without float64 twin and gradients if the twin fails to run or its outputs are not finite."""
    found = _twin(subject, claims, sizes, seed)
    finite = found is not None and all(np.isfinite(array).all() for array in found.values())
    return subject if finite else replace(subject, exact=None, gradients=())


def _twin(subject: Subject, claims: Claims, sizes: Mapping[str, int], seed: int) -> dict[str, Array] | None:
    """Outputs of the float64 twin on inputs that hide nothing; None if there is no twin or it fails to run."""
    if subject.exact is None:
        return None
    try:
        return subject.exact.run(generate(claims, sizes, OPEN, seed, hiding(claims)))
    except SpecError:
        return None


def _judge(claims: Claims, subject: Subject, rule: Rule, point: Point, seed: int) -> Finding:
    kind = rule_kinds()[rule.kind]
    if isinstance(kind, UpperKind):
        return upper(claims, subject, rule, point, seed)
    if isinstance(kind, LowerKind):
        return lower(claims, subject, rule, point, seed)
    if isinstance(kind, AffineKind):
        return affine(claims, subject, rule, point, seed)
    if isinstance(kind, RowsKind):
        return rows_alone(claims, subject, rule, point, seed)
    if isinstance(kind, SymmetricKind):
        return symmetric(claims, subject, rule, point, seed)
    return Finding(claim=str(rule), status="not measured", detail=f"`{rule.kind}` is not checked yet")
