"""RULES with their names resolved; who judges them reads these."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.axis import resolve_axis
from archspec.diagnostics import Span, fail
from archspec.ir.graph import Node, Value
from archspec.ir.op import Op, ShapeError
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.mask import Mask
from archspec.record import record
from archspec.spec.context import NodeContext
from archspec.spec.masks import MaskReader
from archspec.spec.predicates import build_predicate, check_predicate
from archspec.spec.rule_fields import (
    CausalFields,
    CoversFields,
    EquivariantFields,
    IgnoresFields,
    InvariantFields,
    ReceptiveFieldFields,
    RuleFields,
    RuleItem,
    SeesFields,
    SegmentsFields,
    WindowFields,
    WithinFields,
)
from archspec.spec.values import Values
from archspec.text.mask import MaskCall, MaskSyntax
from archspec.text.pred import PredExpr


@record
class Rule:
    """A rule: its kind (`causal`), what it says as written, and the values that it is about.

    `output` and `input` are values at the top of the graph; `fields` is the rule as written. `mask` reads `controls`
    by their numbers; `where` and `at` are bool values, which like computed controls stand apart from the graph; `by`
    are segments.
    """

    kind: str
    fields: RuleFields
    output: Value
    input: Value
    span: Span
    mask: Mask | None = None
    controls: tuple[Value, ...] = ()
    back: Dim | None = None
    ahead: Dim | None = None
    where: Value | None = None
    at: Value | None = None
    by: Value | None = None

    def __str__(self) -> str:
        """The rule on one line."""
        named = {name: field.alias or name for name, field in type(self.fields).model_fields.items()}
        given = [f"{named[name]}: {getattr(self.fields, name)}" for name in named if name in self.fields.given]
        return f"{self.kind}({', '.join(given)})"


def resolve_rule(item: RuleItem, cx: NodeContext) -> Rule:
    """Resolve the names of a rule and check that its parts fit its values. Raises SpecError."""
    fields = item.fields
    values = cx.around.values
    rule = Rule(
        kind=item.kind,
        fields=fields,
        output=values.resolve(fields.output),
        input=values.resolve(fields.input),
        span=item.at or fields.output.span,
    )
    return replace(rule, **_Check(rule=rule, values=values, cx=cx).run())


@record
class _Check:
    rule: Rule
    values: Values
    cx: NodeContext

    def run(self) -> dict[str, Any]:
        """What the fields mean."""
        fields = self.rule.fields
        match fields:
            case WithinFields() | CoversFields():
                return self._mask(fields.mask)
            case CausalFields():
                self._same_positions()
                return self._mask(MaskCall(word=Causal.word, argument=None, span=self.rule.span))
            case WindowFields():
                self._same_positions()
                self._mask(MaskCall(word=Causal.word, argument=None, span=self.rule.span))
                size = self.cx.around.numbers.size
                return {"back": size(fields.back, 0), "ahead": size(fields.ahead, 0)}
            case IgnoresFields():
                found = {"where": self._positions(fields.where, self.rule.input)}
                if fields.promised is not None:
                    found["at"] = self._positions(fields.promised, self.rule.output)
                return found
            case SegmentsFields():
                return {"by": self._segments(fields)}
            case SeesFields():
                return {"mask": All()}
            case EquivariantFields():
                resolve_axis(self.cx, fields.axis, self.rule.input)
                self.cx.size(fields.stride)
            case InvariantFields():
                resolve_axis(self.cx, fields.axis, self.rule.input)
            case ReceptiveFieldFields():
                resolve_axis(self.cx, fields.axis, self.rule.input)
                self.cx.size(fields.at_most)
        return {}

    def _same_positions(self) -> None:
        """The rule compares positions of its output with those of its input."""
        fields, sizes = self.rule.fields, (self.rule.output.type, self.rule.input.type)
        if any(type_.rank < 2 for type_ in sizes) or compare(sizes[0].shape[1], "==", sizes[1].shape[1]) is True:
            return
        labels = [label for value in (self.rule.output, self.rule.input) if (label := self.values.label(value))]
        message = f"`{self.rule.kind}` compares positions, and `{fields.output}` has {sizes[0].shape[1]}"
        message += f", `{fields.input}` {sizes[1].shape[1]}"
        fail("E403", message, fields.input.span, secondary=labels, help="name values over the same positions")

    def _mask(self, mask: MaskSyntax) -> dict[str, Any]:
        for path, value in ((self.rule.fields.output, self.rule.output), (self.rule.fields.input, self.rule.input)):
            if value.type.rank < 2:
                fail("E403", f"`{path}` is {value.type}, and has no positions", path.span)
        reader = MaskReader(
            queries=self.rule.output.type,
            keyed=self.rule.input.type,
            value=self.values.resolve,
            build=self._predicate,
            size=self.cx.around.numbers.size,
            find=self.values.get,
            label=self.values.label,
            warn=lambda message, span, help: None,
            given=lambda name, reader: None,
        )
        found = reader.read(mask)
        return {"mask": found, "controls": tuple(reader.controls)}

    def _predicate(self, pred: PredExpr) -> Value:
        """The value of a predicate, computed apart: a rule adds nothing to the graph."""
        check_predicate(pred, self.values.resolve)
        return build_predicate(pred, self.values.resolve, self.cx.around.numbers.number, _apart)

    def _positions(self, pred: PredExpr, of: Value) -> Value:
        value = self._predicate(pred)
        shape = value.type.shape
        same = all(compare(a, "==", b) is True for a, b in zip(shape, of.type.shape, strict=False))
        if len(shape) > of.type.rank or not same:
            label = self.values.label(of)
            message = f"`{pred}` is over [{', '.join(map(str, shape))}], which are not the first axes of {of.type}"
            fail("E402", message, pred.span, secondary=[] if label is None else [label])
        return value

    def _segments(self, fields: SegmentsFields) -> Value:
        value = self.values.resolve(fields.by)
        if not value.type.dtype.is_integer:
            label = self.values.label(value)
            labels = [] if label is None else [label]
            message = f"`{fields.by}` is {value.type}, and segments are integers"
            fail("E401", message, fields.by.span, secondary=labels, help="name integers, one for every position")
        return value


def _apart(pred: PredExpr, op: Op, inputs: tuple[Value, ...]) -> Value:
    """An op on values of the graph that is no part of it."""
    try:
        (found,) = op.infer(*(value.type for value in inputs))
    except ShapeError as error:
        fail("E402", error.message, pred.span)
    value = Value(str(pred), found)
    Node(op=op, inputs=inputs, outputs=(value,), span=pred.span)
    return value
