"""`alone`: a padded row gives what its valid positions give alone."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from archspec.algebra.dim import compare
from archspec.diagnostics import fail
from archspec.ir.graph import Node
from archspec.ir.types import DType
from archspec.rules.evidence import Evidence
from archspec.rules.explain import node_text, sizes_text
from archspec.rules.kind import RowsKind
from archspec.rules.refuted import entry, refuted
from archspec.rules.rows import keeps_rows
from archspec.rules.shortfall import unknown
from archspec.rules.verdict import Verdict
from archspec.schema.sorts import PathField
from archspec.spec import Rule
from archspec.spec.rule_fields import RuleFields
from archspec.spec.rules import RuleNames


class AloneFields(RuleFields):
    """A padded row gives what its valid positions give alone."""

    valid: PathField = Field(description="bool input [batch, positions], true at the positions that are no padding")


class AloneRule(RowsKind):
    """A row gives, at its valid positions, what those positions give alone, without padding.

    The valid positions of a row are adjacent, and at least one; `padding: right` or `left` of the input `valid` says at
    which end they stand, otherwise they may stand anywhere. No padding matters, nor how much there is, nor where in the
    row the valid positions stand, nor other rows. All inputs over the positions of `valid` are padded with it. An
    output without positions is compared whole. Proved op by op; violated by a row of a padded batch that differs from
    the same row alone; else unknown.
    """

    word: ClassVar[str] = "alone"
    fields: ClassVar[type[RuleFields]] = AloneFields
    hides = True

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with its input `valid`. Raises SpecError E401 for another value, E402 for other rows."""
        fields = rule.fields
        assert isinstance(fields, AloneFields)
        valid = names.cx.around.values.resolve(fields.valid)
        if valid.type.dtype is not DType.BOOL or valid.type.rank != 2 or valid.producer is not None:
            message = f"`{fields.valid}` is {valid.type}, but `valid` must be a bool input over rows and positions"
            fail("E401", message, fields.valid.span)
        rows, length = valid.type.shape
        if rule.input.producer is not None:
            fail("E401", f"`{fields.input}` is not an input, so that no row of it can be run alone", fields.input.span)
        shape, dims = rule.input.type.shape, length.symbols()
        if (
            len(dims) != 1
            or compare(length, "==", next(iter(dims))) is not True
            or shape[:1] != (rows,)
            or length not in shape[1:]
        ):
            message = f"`{fields.input}` is {rule.input.type}, which has not the rows and positions of `{fields.valid}`"
            fail("E402", message, fields.input.span, help="name an input over the same two dims")
        return replace(rule, valid=valid)

    def judge(self, rule: Rule, evidence: Evidence) -> Verdict:
        """Proved where every op on the way keeps what the row alone has."""
        # Imported late: most specs have no such rule.
        from archspec.rules.unpadded import Unpadded

        assert rule.valid is not None
        spec, padding = evidence.spec, evidence.spec.inputs[rule.valid.name].padding
        found = Unpadded(spec.graph, rule.valid, padding)
        if not keeps_rows(spec.graph, evidence.dependence.reads, rule.valid.type.shape[0]):
            return _short(rule, evidence, None, "the rows of the batch are not proved to be apart")
        if found.holds(rule.output):
            where = "wherever the valid positions stand" if padding == "any" else f"padded on the {padding}"
            return Verdict(rule=rule, status="proved", explanation=f"at all sizes, for all weights, {where}")
        node, reason = found.where(found.motion(rule.output))
        return _short(rule, evidence, node, reason or "differs from position to position of the row")


def _short(rule: Rule, evidence: Evidence, node: Node | None, reason: str) -> Verdict:
    """Violated where runs of the graph show it, otherwise unknown, with the node."""
    # Imported late: a rule that is proved needs no run.
    from archspec.rules.alone_run import row_witness

    found = row_witness(evidence.spec, rule, evidence.terms)
    why = reason if node is None else f"{node_text(node)} {reason}"
    if found is None:
        return unknown(rule, why, why)
    one = found.apart
    told = f"of {one}, {entry(rule, one.at)} is {one.found:.4g}, and {one.expected:.4g} alone"
    sizes = f"sizes: {sizes_text(found.sizes)}"
    notes = (
        f"{sizes}; the positions of `{rule.fields.output}` are counted from the first valid one",
        f"measured with random weights in float64: it is off by {one.size:.2g} of the largest value",
    )
    return refuted(rule, node, why, told, notes)
