"""Verdicts on rules that the relations do not prove: violated by a witness, or unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from archspec.ir.graph import Value
from archspec.relation.atoms import Relation
from archspec.rules.evidence import Evidence
from archspec.rules.explain import UNCONFIRMED, open_question, sizes_text
from archspec.rules.flow import Dependence
from archspec.rules.independence import Independent
from archspec.rules.lost import where_lost
from archspec.rules.target import RuleTarget
from archspec.rules.verdict import Verdict
from archspec.spec import Rule

if TYPE_CHECKING:
    from archspec.analyses.field import ReceptiveField


def fallen_short(
    rule: Rule,
    evidence: Evidence,
    dependence: Dependence,
    target: RuleTarget,
    proved: Callable[[Value], bool],
    remedy: str | None,
) -> Verdict:
    """Violated where small sizes have a witness, otherwise unknown, with the node where precision is lost.

    Args:
        rule: an upper rule that is not proved.
        evidence: the analyses of the spec.
        dependence: the relations to use, which may hold a predicate fixed.
        target: the pairs that the rule is about.
        proved: judges the rule as if another value were its output.
        remedy: help text for a violation at an attention.
    """
    # Imported late: most specs are proved and never need the search.
    from archspec.rules.wiring.search import find, inside, outside

    test = (inside if target.forbidden else outside)(rule.output, rule.input, target.pairs)
    # The rule's own relation decides where cells are cut, so that it is exact over them.
    extra = [(rule.output, rule.input, target.pairs)]
    found = find(evidence.spec, dependence.reads, rule.output, rule.input, extra, test)
    if found.witness is not None:
        from archspec.rules.leak import violation

        return violation(rule, found.witness, remedy)
    lost = where_lost(rule, dependence, proved)
    why = UNCONFIRMED if found.unconfirmed else ""
    return Verdict(rule=rule, status="unknown", explanation=why, diagnostics=(open_question(rule, lost),))


def too_wide(
    rule: Rule, evidence: Evidence, proved: Callable[[Value], bool], field: ReceptiveField, told: str
) -> Verdict:
    """Violated where one output position depends on two input positions that are too far apart, else unknown.

    Args:
        rule: a rule on a field, which is not proved.
        evidence: the analyses of the spec.
        proved: judges the rule as if another value were its output.
        field: the field.
        told: the same in words.
    """
    from archspec.rules.wiring.stretch import stretched

    found, unconfirmed = stretched(evidence.spec, evidence.dependence.reads, rule, field.extent)
    if found is None:
        why = f"{told}; {UNCONFIRMED}" if unconfirmed else told
        # Of a field that is exact no bound is too loose: some position has it, if not at the sizes that were tried.
        lost = where_lost(rule, evidence.dependence, proved) if field.why or field.extent is None else None
        note = open_question(rule, lost, told)
        return Verdict(rule=rule, status="unknown", explanation=why, diagnostics=(note,))
    from archspec.rules.leak import stretch

    return stretch(rule, *found, told)


def uncovered_or_wired(rule: Rule, evidence: Evidence, wanted: Relation) -> Verdict:
    """Violated with a pair that nothing connects, otherwise wired, with the sizes that were tried.

    Args:
        rule: a lower rule.
        evidence: the analyses of the spec.
        wanted: the pairs that must be related.
    """
    from archspec.rules.wiring.cover import uncovered

    found = uncovered(evidence.spec, evidence.dependence.reads, rule.output, rule.input, wanted, rule.axes)
    if isinstance(found, dict):
        return Verdict(rule=rule, status="wired", explanation=f"at {sizes_text(found)}")
    from archspec.rules.leak import not_seen

    return not_seen(rule, found)


def unknown(rule: Rule | Independent, explanation: str, reason: str) -> Verdict:
    """The verdict on a rule that cannot be judged, with the reason."""
    found = open_question(rule, None, reason)
    return Verdict(rule=rule, status="unknown", explanation=explanation, diagnostics=(found,))
