"""`affine`: the output is an affine map of the input, with coefficients that no input changes."""

from __future__ import annotations

from typing import ClassVar

from archspec.analyses.affinity import Affinities, Affinity
from archspec.diagnostics import fail
from archspec.ir.graph import Node
from archspec.ir.types import DType
from archspec.rules.evidence import Evidence
from archspec.rules.explain import node_text, sizes_text
from archspec.rules.kind import AffineKind
from archspec.rules.measure import UnmeasurableError
from archspec.rules.refuted import entry, refuted
from archspec.rules.shortfall import unknown
from archspec.rules.verdict import Verdict
from archspec.spec import Rule
from archspec.spec.rule_fields import OutputPositions, RuleFields, at_field
from archspec.spec.rules import RuleNames


class AffineFields(RuleFields):
    """The output is an affine map of the input."""

    promised: OutputPositions = at_field()


class AffineRule(AffineKind):
    """The output is an affine map of the input with coefficients that no input changes, in evaluation mode.

    Convolutions, linear maps, sums, means and batch norms are such maps; activations, gates, attention and layer norms
    are not. Other inputs may change the offset. Proved by composing what every op says of its coefficients; violated by
    a second difference that is not zero.
    """

    word: ClassVar[str] = "affine"
    fields: ClassVar[type[RuleFields]] = AffineFields

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule, between floats. Raises SpecError E401 for other values, E402."""
        fields = rule.fields
        assert isinstance(fields, AffineFields)
        for path, value in ((fields.output, rule.output), (fields.input, rule.input)):
            if value.type.dtype is not DType.FLOAT:
                fail("E401", f"`{path}` is {value.type}, but an affine map is between floats", path.span)
        return names.promised(rule, fields.promised)

    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """Proved where every op on the way is affine in what depends on the input."""
        followed = evidence.fields.follows(rule.input)
        found = Affinities(evidence.spec.graph, rule.input)
        fact = found.facts.get(rule.output, Affinity.LOST)
        if followed and fact is not Affinity.LOST:
            names = f"`{rule.fields.output}` does not depend on `{rule.fields.input}`"
            told = "at all sizes, for all weights" if fact is Affinity.AFFINE else names
            return Verdict(rule=rule, status="proved", explanation=told)
        node, reason = next(iter(found.lost.items()), (None, "the input is a value inside repeated layers"))
        return _short(rule, evidence, node, reason)


def _short(rule: Rule, evidence: Evidence, node: Node | None, reason: str) -> Verdict:
    """Violated where runs of the graph show a second difference, otherwise unknown, with the node."""
    # Imported late: a rule that is proved needs no run.
    from archspec.rules.affine_run import curved

    why = reason if node is None else f"{node_text(node)} {reason}"
    try:
        found = curved(evidence.spec, rule, evidence.dependence.reads)
    except UnmeasurableError as error:
        return unknown(rule, why, str(error))
    if found is None:
        return unknown(rule, why, why)
    source = rule.fields.input
    changed = "the other inputs" if found.by_others else f"`{source}` itself"
    told = f"the effect of a change of `{source}` on {entry(rule, found.at)} depends on {changed}"
    notes = (
        f"sizes: {sizes_text(found.world.sizes)}",
        f"measured with random weights in float64: it differs by {found.size:.2g} of the largest value",
    )
    return refuted(rule, node, why, told, notes)
