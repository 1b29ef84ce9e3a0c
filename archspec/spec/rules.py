"""RULES with their names resolved; who judges them reads these."""

from __future__ import annotations

from archspec.blocks.axis import resolve_axis
from archspec.diagnostics import Span, fail
from archspec.ir.dim import compare
from archspec.ir.graph import Value
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.spec.context import NodeContext
from archspec.spec.masks import MaskReader
from archspec.spec.predicates import check_predicate
from archspec.spec.rule_fields import (
    CausalFields,
    CoversFields,
    EquivariantFields,
    IgnoresFields,
    InvariantFields,
    ReceptiveFieldFields,
    RuleFields,
    RuleItem,
    SegmentsFields,
    WindowFields,
    WithinFields,
)
from archspec.spec.syntax import paths
from archspec.spec.values import Values
from archspec.text.mask import MaskCausal, MaskSyntax
from archspec.text.pred import PredExpr


@record
class Rule:
    """A rule: its kind (`causal`), what it says as written, and the values that it is about.

    `output` and `input` are values at the top of the graph; `fields` holds the masks, predicates and numbers.
    """

    kind: str
    fields: RuleFields
    output: Value
    input: Value
    span: Span

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
    _Check(rule=rule, values=values, cx=cx).run()
    return rule


@record
class _Check:
    rule: Rule
    values: Values
    cx: NodeContext

    def run(self) -> None:
        fields = self.rule.fields
        match fields:
            case WithinFields() | CoversFields():
                self._mask(fields.mask)
            case CausalFields():
                self._mask(MaskCausal(span=self.rule.span))
            case WindowFields():
                self._mask(MaskCausal(span=self.rule.span))
                self.cx.around.numbers.size(fields.back, 0)
                self.cx.around.numbers.size(fields.ahead, 0)
            case IgnoresFields():
                self._positions(fields.where, self.rule.input)
                if fields.promised is not None:
                    self._positions(fields.promised, self.rule.output)
            case SegmentsFields():
                self._segments(fields)
            case EquivariantFields():
                resolve_axis(self.cx, fields.axis, self.rule.input)
                self.cx.size(fields.stride)
            case InvariantFields():
                resolve_axis(self.cx, fields.axis, self.rule.input)
            case ReceptiveFieldFields():
                resolve_axis(self.cx, fields.axis, self.rule.input)
                self.cx.size(fields.at_most)

    def _mask(self, mask: MaskSyntax) -> None:
        for path, value in ((self.rule.fields.output, self.rule.output), (self.rule.fields.input, self.rule.input)):
            if value.type.rank < 2:
                fail("E403", f"`{path}` is {value.type}, and has no positions", path.span)
        reader = MaskReader(
            queries=self.rule.output.type,
            keys=self.rule.input.type,
            value=self.values.resolve,
            predicate=self._typed,
            size=self.cx.around.numbers.size,
            find=self.values.get,
            label=self.values.label,
            warn=lambda message, span: None,
        )
        reader.read(mask)

    def _typed(self, pred: PredExpr) -> Value:
        """A value of the type that the predicate would have; a rule adds nothing to the graph."""
        check_predicate(pred, self.values.resolve)
        axes = max((self.values.resolve(path).type.axes for path in paths(pred)), key=len)
        return Value("predicate", TensorType(DType.BOOL, axes))

    def _positions(self, pred: PredExpr, of: Value) -> None:
        shape = self._typed(pred).type.shape
        same = all(compare(a, "==", b) is True for a, b in zip(shape, of.type.shape, strict=False))
        if len(shape) > of.type.rank or not same:
            label = self.values.label(of)
            message = f"`{pred}` is over [{', '.join(map(str, shape))}], which are not the first axes of {of.type}"
            fail("E402", message, pred.span, secondary=[] if label is None else [label])

    def _segments(self, fields: SegmentsFields) -> None:
        value = self.values.resolve(fields.by)
        if not value.type.dtype.is_integer:
            fail("E401", f"`{fields.by}` is {value.type}, and segments are integers", fields.by.span)
