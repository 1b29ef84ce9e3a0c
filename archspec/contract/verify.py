"""Holding a model against its claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from archspec.contract.basics import basics
from archspec.contract.counted import hiding
from archspec.contract.lower import lower
from archspec.contract.parity import parity
from archspec.contract.protocol import Subject
from archspec.contract.report import Finding, Report
from archspec.contract.sizes import probe
from archspec.contract.upper import independent, upper
from archspec.diagnostics import SpecError
from archspec.model.runner import Array
from archspec.model.samples import OPEN, generate
from archspec.rules.kind import LowerKind, UpperKind, rule_kinds
from archspec.spec import Rule
from archspec.spec.claims import Claims


def verify(subject: Subject, claims: Claims, *, parameters: Mapping[str, Array] | None = None, seed: int = 0) -> Report:
    """Hold a subject against every claim.

    Args:
        subject: a runner whose inputs and outputs have the names of the claims, and its float64 twin if there is one.
        claims: sizes, inputs, outputs and rules.
        parameters: the model's parameters by the names of the spec: its outputs are then compared with the interpreter.
        seed: of inputs and of their changes.

    Returns:
        a finding for each claim. A model that fails to run is a violation, and ends the report.
    """
    findings: list[Finding] = []
    try:
        for found in findings_of(subject, claims, parameters=parameters, seed=seed):
            findings.append(found)  # noqa: PERF402 - what was found before a failure is kept
    except SpecError as error:
        first = error.diagnostics[0]
        detail = "; ".join((first.message, *first.notes))
        findings.append(Finding(claim="runs", status="violated", detail=detail))
    return Report(subject=subject.name, claims=claims.name, findings=tuple(findings))


def findings_of(
    subject: Subject, claims: Claims, *, parameters: Mapping[str, Array] | None = None, seed: int = 0
) -> Iterator[Finding]:
    """The findings one by one, as they are made. Raises SpecError where the model fails to run."""
    first = tuple(basics(claims, subject, seed))
    yield from first
    broken = [found.claim for found in first if found.status == "violated"]
    if broken:
        # What is random or not finite moves by itself.
        detail = f"`{broken[0]}` must hold first"
        yield from (Finding(claim=str(rule), status="not measured", detail=detail) for rule in claims.rules)
        return
    sizes = probe(claims)
    subject = _usable(subject, claims, sizes, seed)
    rows = tuple(independent(claims, subject, sizes, seed))
    yield from rows
    # What leaves other rows alone to the last bit computes alike whatever the values are.
    still = bool(rows) and all(found.status == "holds" and found.largest == 0 for found in rows)
    subject = replace(subject, is_still=still)
    for rule in claims.rules:
        yield _judge(claims, subject, rule, sizes, seed)
    if parameters is not None and claims.spec is not None:
        yield parity(claims, claims.spec, subject, parameters, sizes, seed)


def _usable(subject: Subject, claims: Claims, sizes: Mapping[str, int], seed: int) -> Subject:
    """The subject without its float64 twin, where that does not run: some models name float32 in their code."""
    if subject.exact is None:
        return subject
    try:
        subject.exact.run(generate(claims, sizes, OPEN, seed, hiding(claims)))
    except SpecError:
        return replace(subject, exact=None, gradients=None)
    return subject


def _judge(claims: Claims, subject: Subject, rule: Rule, sizes: Mapping[str, int], seed: int) -> Finding:
    kind = rule_kinds()[rule.kind]
    if isinstance(kind, UpperKind):
        return upper(claims, subject, rule, sizes, seed)
    if isinstance(kind, LowerKind):
        return lower(claims, subject, rule, sizes, seed)
    return Finding(claim=str(rule), status="not measured", detail=f"`{rule.kind}` is not judged yet")
