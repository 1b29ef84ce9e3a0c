"""RULES as they are written: one model for each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from archspec.diagnostics import Diagnostic, Label, Span
from archspec.masks.field import MaskField
from archspec.schema.model import MAYBE, Model
from archspec.schema.sorts import ExprField, PathField, PredField
from archspec.schema.words import AxisField
from archspec.text.nodes import MapNode, Node


class RuleFields(Model):
    """What every rule names: a value, and one that it depends on."""

    output: PathField = Field(description="the value that depends")
    input: PathField = Field(description="the value that it depends on")


class WithinFields(RuleFields):
    """Output i depends only on input j that the mask allows."""

    mask: MaskField = Field(description="the pairs that are allowed")


class CoversFields(RuleFields):
    """Output i depends on every input j that the mask allows."""

    mask: MaskField = Field(description="the pairs that must be seen")


class CausalFields(RuleFields):
    """Output i depends only on inputs up to i."""


class WindowFields(RuleFields):
    """Output i depends only on inputs from i - back to i + ahead."""

    back: ExprField = Field(description="how far back it may see")
    ahead: ExprField = Field(description="how far ahead it may see")


class IgnoresFields(RuleFields):
    """Some input positions do not matter."""

    where: PredField = Field(description="input positions that must not matter")
    promised: Annotated[PredField | None, MAYBE] = Field(
        default=None, alias="at", description="output positions that are promised"
    )


class SegmentsFields(RuleFields):
    """Nothing depends on another segment."""

    by: PathField = Field(description="the integer value that numbers the segments")


class SeesFields(RuleFields):
    """Output i depends on every input j."""


class EquivariantFields(RuleFields):
    """Shifting the input shifts the output."""

    axis: AxisField = Field(description="the axis that is shifted")
    stride: ExprField = Field(description="input positions for one output position")


class InvariantFields(RuleFields):
    """Shifting the input changes nothing."""

    axis: AxisField = Field(description="the axis that is shifted")


class ReceptiveFieldFields(RuleFields):
    """Output i depends on at most so many adjoining input positions."""

    axis: AxisField = Field(description="the axis that is measured")
    at_most: ExprField = Field(description="the most input positions that one output position reads")


class RuleItem(Model):
    """One rule: its kind, and what it says."""

    within: WithinFields | None = None
    covers: CoversFields | None = None
    causal: CausalFields | None = None
    window: WindowFields | None = None
    ignores: IgnoresFields | None = None
    segments: SegmentsFields | None = None
    sees: SeesFields | None = None
    equivariant: EquivariantFields | None = None
    invariant: InvariantFields | None = None
    receptive_field: ReceptiveFieldFields | None = None

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        if len(data) != 1 and isinstance(node, MapNode) and set(node.keys()) <= set(cls.keys()):
            message = "a rule has one kind" if data else "an empty rule"
            place = node.entries[1].key.span if len(node.entries) > 1 else node.span
            yield Diagnostic(code="E204", message=message, primary=Label(place), help=_HELP)

    @classmethod
    def _place(cls, node: Node) -> Span:
        """The whole rule, which is one line."""
        return node.span

    @property
    def kind(self) -> str:
        """The word that names the rule."""
        return next(iter(self.given))

    @property
    def fields(self) -> RuleFields:
        """What it says."""
        fields: RuleFields = getattr(self, self.kind)
        return fields


_HELP = "write `- causal: {output: logits, input: ids}`"
