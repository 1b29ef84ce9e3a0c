"""RULES with their names resolved, as they are judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import ClassVar, NoReturn

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.axis import resolve_axis
from archspec.diagnostics import Span, fail
from archspec.ir.graph import Node, Value
from archspec.ir.op import Op, ShapeError
from archspec.ir.types import TensorType, axis
from archspec.masks.mask import Mask
from archspec.record import record
from archspec.registry import RULE_KINDS
from archspec.schema.words import AxisText
from archspec.spec.context import NodeContext
from archspec.spec.masks import MaskReader
from archspec.spec.predicates import build_predicate, check_predicate
from archspec.spec.rule_axes import RulePositions, spread
from archspec.spec.rule_fields import RuleFields
from archspec.text.expr import Expr, written
from archspec.text.mask import MaskSyntax
from archspec.text.path import Path
from archspec.text.pred import PredExpr

Axes = tuple[tuple[int, ...], tuple[int, ...]]
"""Axes of an output and of an input."""


@record
class Rule:
    """A rule with its names resolved: its kind (`causal`), its fields as written, and the values that it is about.

    `output` and `input` are values at the top of the graph. `axes` are the axes whose positions it is about. `mask`
    reads `controls` by their numbers. `where` and `at` are bool values, which like computed controls are not part of
    the graph; `by` are segments, `valid` is the input that marks the positions of a row that are no padding. With a
    `stride` p/q, a move of the input by p moves the output by q.
    """

    kind: str
    fields: RuleFields
    output: Value
    input: Value
    span: Span
    axes: Axes = ((), ())
    mask: Mask | None = None
    controls: tuple[Value, ...] = ()
    at_most: Dim | None = None
    back: Dim | None = None
    ahead: Dim | None = None
    stride: Fraction | None = None
    where: Value | None = None
    at: Value | None = None
    by: Value | None = None
    valid: Value | None = None

    @property
    def axis(self) -> tuple[int, int]:
        """The axis of the output and the axis of the input whose positions are compared."""
        (out,), (inp,) = self.axes
        return out, inp

    @property
    def most(self) -> Dim:
        """The largest number of positions that a rule on fields allows."""
        assert self.at_most is not None
        return self.at_most

    def __str__(self) -> str:
        """The rule on one line, with the fields that the user wrote."""
        named = {name: field.alias or name for name, field in type(self.fields).model_fields.items()}
        given = [f"{named[name]}: {_written(self.fields, name)}" for name in named if name in self.fields.given]
        return f"{self.kind}({', '.join(given)})"


def _written(fields: RuleFields, name: str) -> str:
    """A field of a rule as text, lists in brackets."""
    value = getattr(fields, name)
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


class RuleWord(ABC):
    """A kind of rule as files write it: the word, the fields, and what they mean.

    The kinds are declared in `archspec.rules.kinds`, one a file, with how they are judged.
    """

    word: ClassVar[str]
    fields: ClassVar[type[RuleFields]]

    @abstractmethod
    def resolve(self, rule: Rule, names: RuleNames) -> Rule:
        """The rule with the names in its fields resolved. Raises SpecError if they do not fit its values."""


def rule_words() -> Mapping[str, RuleWord]:
    """Every kind of rule by its word; the kinds themselves are loaded when they are looked up."""
    return RULE_KINDS.declared(RuleWord)  # type: ignore[type-abstract]


def resolve_rule(kind: str, fields: RuleFields, span: Span, cx: NodeContext, positions: RulePositions) -> Rule:
    """Resolve the names of a rule of kind `kind`, and check that its fields fit its values.

    `span` is where the rule is written, `cx` the context in which names are resolved, `positions` chooses axes that the
    rule does not name. Raises SpecError for an unknown value or a field that does not fit.
    """
    values = cx.around.values
    output, source = values.resolve(fields.output), values.resolve(fields.input)
    rule = Rule(kind=kind, fields=fields, output=output, input=source, span=span)
    return rule_words()[kind].resolve(rule, RuleNames(cx=cx, places=positions))


@record
class RuleNames:
    """Resolves the names in a rule; kinds call it from `RuleWord.resolve`."""

    cx: NodeContext
    places: RulePositions

    def size(self, expr: Expr, least: int = 1) -> Dim:
        """Evaluate a size of at least `least`. Raises SpecError as `Numbers.size` does."""
        return self.cx.around.numbers.size(expr, least)

    def fixed(self, expr: Expr, field: str) -> int:
        """Evaluate a size of at least 1 that depends on no dim. Raises SpecError as `size` does, and E341."""
        found = self.size(expr)
        if found.constant is None:
            _run_time(field, (symbol.name for symbol in found.symbols()), expr.span)
        return found.constant

    def ratio(self, expr: Expr, field: str) -> Fraction:
        """Evaluate a ratio above 0 that depends on no dim. Raises SpecError E201, E303, E304 or E341."""
        found = self.cx.around.numbers.number(expr)
        if found.symbols():
            _run_time(field, (symbol.name for symbol in found.symbols()), expr.span)
        value = found.constant()
        if not isinstance(value, Fraction) or value <= 0:
            message = f"`{field}` is `{written(expr)}`, expected a whole number or a ratio of two, above 0"
            fail("E304", message, expr.span, help="1/2 says that the output moves by 2 where the input moves by 1")
        return value

    def compared(self, rule: Rule, axes: Sequence[AxisText] | AxisText | None) -> Rule:
        """The rule with the axis of its output and of its input whose positions it compares.

        `axes` is one axis for both, a pair, or None to choose them. Raises SpecError E350 for an axis that a value does
        not have, E403 for a value without positions, E424 for an ambiguous axis.
        """
        given = [axes, axes] if axes is None or isinstance(axes, AxisText) else list(axes)
        sides = ((rule.fields.output, rule.output, given[0]), (rule.fields.input, rule.input, given[1]))
        out, inp = (self._axis(rule, path, value, axis) for path, value, axis in sides)
        return replace(rule, axes=((out,), (inp,)))

    def of_input(self, rule: Rule, axis: AxisText | None) -> Rule:
        """The rule with the axis of its input that it is about. Raises SpecError as `compared` does."""
        return replace(rule, axes=((), (self._axis(rule, rule.fields.input, rule.input, axis),)))

    def same_positions(self, rule: Rule) -> Rule:
        """The rule, checked to compare axes of equal size. Raises SpecError E403 if the sizes may differ."""
        out, inp = rule.axis
        left, right = rule.output.type.shape[out], rule.input.type.shape[inp]
        if compare(left, "==", right) is not True:
            fields, label = rule.fields, self.cx.around.values.label
            labels = [found for value in (rule.output, rule.input) if (found := label(value))]
            message = (
                f"`{rule.kind}` compares positions, but `{fields.output}` has {left} and `{fields.input}` has {right}"
            )
            fail("E403", message, fields.input.span, secondary=labels, help="name values over the same positions")
        return rule

    def everywhere(self, rule: Rule) -> Rule:
        """The rule over all position axes of its output and of its input."""
        return replace(rule, axes=(self.places.axes(rule.output), self.places.axes(rule.input)))

    def masked(self, rule: Rule, mask: MaskSyntax) -> Rule:
        """The rule with a mask over the positions that it compares. Raises SpecError as `MaskReader.read` does."""
        out, inp = rule.axis
        reader = MaskReader(
            queries=_sequence(rule.output.type, out),
            keyed=_sequence(rule.input.type, inp),
            value=self.cx.around.values.resolve,
            build=self.predicate,
            size=self.cx.around.numbers.size,
            find=self.cx.around.values.get,
            label=self.cx.around.values.label,
            warn=lambda message, span, help: None,
            # Fields of sort mask exist only in bodies of user-defined blocks, where no rules stand.
            given=lambda name, reader: None,
        )
        found = reader.read(mask)
        return replace(rule, mask=found, controls=tuple(reader.controls))

    def promised(self, rule: Rule, at: PredExpr | None) -> Rule:
        """The rule limited to the output positions where `at` is true; all if `at` is None. Raises SpecError E402."""
        return rule if at is None else replace(rule, at=self.over(at, rule.output))

    def predicate(self, pred: PredExpr) -> Value:
        """The value of a predicate, computed outside the graph: a rule adds nothing to the model."""
        resolve = self.cx.around.values.resolve
        check_predicate(pred, resolve)
        return build_predicate(pred, resolve, self.cx.around.numbers.number, _apart)

    def over(self, pred: PredExpr, of: Value) -> Value:
        """The value of a predicate, whose axes must be axes of `of`. Raises SpecError E402 if they are not."""
        value = self.predicate(pred)
        self._fits(str(pred), pred.span, value, of)
        return value

    def segments(self, path: Path, rule: Rule) -> Rule:
        """The rule with the segments of its positions, the integers at `path`; their last axis is the compared one.

        Raises SpecError E401 for a value that is not integer, E402 for axes that the output or input does not have.
        """
        value = self.cx.around.values.resolve(path)
        if not value.type.dtype.is_integer:
            label = self.cx.around.values.label(value)
            labels = [] if label is None else [label]
            message = f"`{path}` is {value.type}, but segments must be integers"
            fail(
                "E401",
                message,
                path.span,
                secondary=labels,
                help="name an integer value with one entry for every position",
            )
        out, inp = (self._fits(str(path), path.span, value, of)[-1:] for of in (rule.output, rule.input))
        return replace(rule, by=value, axes=(out, inp))

    def _fits(self, text: str, span: Span, value: Value, of: Value) -> tuple[int, ...]:
        """The axes of `of` that a value is over. Raises SpecError E402 if it does not fit."""
        found = spread(value.type.shape, of.type.shape)
        if found is None:
            label = self.cx.around.values.label(of)
            message = f"`{text}` is over [{', '.join(map(str, value.type.shape))}], which are not axes of {of.type}"
            fail("E402", message, span, secondary=[] if label is None else [label])
        return found

    def _axis(self, rule: Rule, path: Path, value: Value, given: AxisText | None) -> int:
        if given is not None:
            return resolve_axis(self.cx, given, value)
        found = self.places.axis(value)
        if found is None:
            self._refuse(rule, path, value)
        return found

    def _refuse(self, rule: Rule, path: Path, value: Value) -> NoReturn:
        """Raise SpecError E403 for a value without positions, E424 for an ambiguous axis."""
        if value.type.rank < 2:
            fail("E403", f"`{path}` is {value.type}, which has no positions", path.span)
        label = self.cx.around.values.label(value)
        axes = ", ".join(f"{number} ({size})" for number, size in enumerate(value.type.shape))
        fail(
            "E424",
            f"`{rule.kind}` compares positions along one axis, but the axis of `{path}` is ambiguous",
            path.span,
            secondary=[] if label is None else [label],
            notes=[f"the axes of `{path}` are {axes}"],
            help="name the axis, as in `axis: 1`, or `axis: [1, 2]` for the output's and the input's",
        )


def _run_time(field: str, names: Iterable[str], at: Span) -> NoReturn:
    """Raise SpecError E341: a number of a rule depends on dims."""
    used = ", ".join(f"`{name}`" for name in sorted(names))
    message = f"`{field}` depends on {used}, which is only known at run time"
    fail("E341", message, at, help="use constants and numbers only")


def _sequence(type_: TensorType, number: int) -> TensorType:
    """The type [batch, positions] in which masks read the axis `number` of a value; a batch of 1 if that is axis 0."""
    return TensorType(type_.dtype, (type_.axes[0] if number else axis(1), type_.axes[number]))


def _apart(pred: PredExpr, op: Op, inputs: tuple[Value, ...]) -> Value:
    """The value of an op on values of the graph, which is not added to the graph. Raises SpecError E402."""
    try:
        (found,) = op.infer(*(value.type for value in inputs))
    except ShapeError as error:
        fail("E402", error.message, pred.span)
    value = Value(str(pred), found)
    Node(op=op, inputs=inputs, outputs=(value,), span=pred.span)
    return value
