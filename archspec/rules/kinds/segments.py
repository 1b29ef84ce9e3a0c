"""`segments`: no output position depends on another segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from archspec.relation.atoms import Relation
from archspec.rules.kind import WithinKind
from archspec.rules.measure import Measured, UnmeasurableError, depends
from archspec.rules.target import one_segment
from archspec.rules.terms import Terms
from archspec.schema.sorts import PathField
from archspec.spec import Rule
from archspec.spec.rule_fields import OutputPositions, RuleFields, at_field
from archspec.spec.rules import RuleNames

if TYPE_CHECKING:
    from archspec.rules.measure import Array


class SegmentsFields(RuleFields):
    """Nothing depends on another segment."""

    by: PathField = Field(description="integer value with the segment of each position")
    promised: OutputPositions = at_field()


class SegmentsRule(WithinKind):
    """Output position i depends only on input positions j with `by[i] = by[j]`, along the axis of `by`."""

    word: ClassVar[str] = "segments"
    fields: ClassVar[type[RuleFields]] = SegmentsFields
    hides = True

    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with its segments. Raises SpecError E401 or E402."""
        fields = rule.fields
        assert isinstance(fields, SegmentsFields)
        return names.promised(names.segments(fields.by, rule), fields.promised)

    def allowed(self, rule: Rule, terms: Terms) -> Relation:
        """Pairs within one segment. Raises Inexpressible where `by` depends on parameters or has other axes."""
        assert rule.by is not None
        return one_segment(rule.by, rule.output, rule.input, rule.axis, terms)

    def pairs(self, rule: Rule, inputs: Measured) -> Array:
        """Pairs within one segment. Raises UnmeasurableError where the segments depend on the rule's input."""
        import numpy as np

        assert rule.by is not None
        if depends(rule.by, rule.input):
            raise UnmeasurableError("the segments are the input itself")
        found = inputs.value(rule.by)
        out, inp = rule.axis
        equal: Array = np.equal(found[..., :, None], found[..., None, :])
        return equal.reshape(-1, inputs.count(rule.output, out), inputs.count(rule.input, inp))

    def remedy(self, rule: Rule) -> str:
        """Advice to use a mask that keeps segments apart."""
        return f"use a mask there that implies `same_segment({getattr(rule.fields, 'by', '')})`"
