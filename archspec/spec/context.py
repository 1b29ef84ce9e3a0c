"""The surroundings of one node while it is built: what a block may ask of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import count
from typing import NoReturn

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.context import Defaults
from archspec.diagnostics import Collector, Label, Span, SpecError, did_you_mean, fail
from archspec.ir.builder import Body, Builder
from archspec.ir.graph import Parameter, Value
from archspec.ir.op import Op
from archspec.ir.scope import below, join
from archspec.ir.types import DType, TensorType
from archspec.masks.mask import Mask
from archspec.record import record
from archspec.spec.elementwise import build_value, number_of
from archspec.spec.masks import MaskReader
from archspec.spec.numbers import Numbers
from archspec.spec.predicates import build_predicate
from archspec.spec.values import Values
from archspec.text.expr import Expr
from archspec.text.mask import MaskSyntax
from archspec.text.path import Path
from archspec.text.pred import PredExpr
from archspec.text.value import ValueExpr

_MAX_LAYERS = 10_000


@record
class GivenMask:
    """A field of sort mask as it was given; `cx` are the surroundings of the call, None for a field's own default."""

    syntax: MaskSyntax
    cx: NodeContext | None


@record
class Surroundings:
    """What all nodes of a graph share; `reduced` is the small copy, where windows are not judged.

    In the body of a user-defined block `scope` and `key` are the builder's path and key of its module, and `masks` its
    fields of sort mask, each with the surroundings in which it is read. `calls` counts the calls of such blocks.
    """

    builder: Builder
    defaults: Defaults
    numbers: Numbers
    values: Values
    findings: Collector
    reduced: bool = False
    made: dict[ValueExpr | PredExpr, Value] = field(default_factory=dict)
    scope: str = ""
    key: str = ""
    masks: Mapping[str, GivenMask] = field(default_factory=dict)
    calls: Iterator[int] = field(default_factory=lambda: count(1))


@record
class NodeContext:
    """The surroundings of one part of the graph; the `Context` that its block is given.

    `name` is where its module stands in the scope under construction ("" inside a repeat, which is the module),
    `owner` the one whose parameters it uses, `result` the name of its value. `whole` is the expression
    that the part is, where it is one. In a repeat, `carried` replaces the
    value of one field by the value that is carried.
    """

    around: Surroundings
    name: str
    owner: str
    result: str
    whole: ValueExpr | None = None
    carried: tuple[ValueExpr, Value] | None = None
    layer: Symbol | None = None

    @property
    def builder(self) -> Builder:
        """The graph under construction."""
        return self.around.builder

    @property
    def defaults(self) -> Defaults:
        """The file's defaults."""
        return self.around.defaults

    @property
    def _numbers(self) -> Numbers:
        return replace(self.around.numbers, layer=self.layer)

    def size(self, expr: Expr) -> Dim:
        """A size; an error where it is no whole number, or below 1."""
        return self._numbers.size(expr)

    def number(self, expr: Expr) -> Scalar:
        """A number, which may depend on dims and, inside layers, on `layer`."""
        return self._numbers.number(expr)

    def constant(self, expr: Expr) -> float:
        """A number that is known before run time."""
        return self._numbers.constant(expr)

    def value(self, expr: ValueExpr) -> Value:
        """A value; an elementwise expression is built once, where it is first needed."""
        if self.carried is not None and expr is self.carried[0]:
            return self.carried[1]
        if isinstance(expr, Path):
            return self.around.values.resolve(expr)
        return self.around.made.get(expr) or self._keep(expr, build_value(expr, self._look, self._add))

    def value_or_number(self, expr: ValueExpr) -> Value | Scalar:
        """A value, or a number where the expression names none."""
        number = number_of(expr, self._look)
        return self.value(expr) if number is None else number

    def anchor(self) -> Value:
        """Some value that can be reached, floats before others. Raises SpecError E242 where there is none."""
        values = list(self.around.values.names.values())
        if not values and self.around.findings.has_errors:
            raise SpecError([])
        if not values:
            fail("E242", "a graph without inputs", self.builder.span, help="give it an input")
        return next((value for value in values if value.type.dtype is DType.FLOAT), values[0])

    def predicate(self, expr: PredExpr) -> Value:
        """A bool value; comparisons and logic are built once, where they are first needed."""
        found = self.around.made.get(expr)
        if found is not None:
            return found
        made = build_predicate(expr, self.around.values.resolve, self.around.numbers.number, self._add)
        return self._keep(expr, made)

    def mask(self, syntax: MaskSyntax, queries: Value, keys: Value) -> tuple[Mask, tuple[Value, ...]]:
        """A mask over the position axes of `queries` and `keys`, with its control values."""
        reader = self._mask_reader(queries.type, keys.type, [])
        mask = reader.read(syntax)
        return mask, tuple(reader.controls)

    def _mask_reader(self, queries: TensorType, keys: TensorType, controls: list[Value]) -> MaskReader:
        values = self.around.values
        return MaskReader(
            queries=queries,
            keyed=keys,
            value=values.resolve,
            build=self.predicate,
            size=self.around.numbers.size,
            find=values.get,
            label=values.label,
            warn=self._warn_window,
            given=self._given_mask,
            controls=controls,
        )

    def _given_mask(self, name: str, reader: MaskReader) -> Mask | None:
        """The mask that a field of the block around holds, read where it was written."""
        found = self.around.masks.get(name)
        if found is None:
            return None
        cx = found.cx or self
        return cx._mask_reader(reader.queries, reader.keyed, reader.controls).read(found.syntax)

    def tied(self, path: Path) -> Parameter:
        """The parameter that a path names. Raises SpecError E221 for one that does not exist or cannot be shared."""
        parameter = self.builder.parameter(join(self.around.key, str(path)))
        if parameter is None:
            node = path.parts[0]
            names = (below(self.around.key, name) for name in self.builder.parameter_names)
            known = [name for name in names if name.startswith(f"{node}.") and "*" not in name]
            repeated = any(part.isdecimal() for part in path.parts[1:])
            why = "belongs to repeated layers and cannot be shared" if repeated else "is not a parameter"
            fail("E221", f"`{path}` {why}", path.span, help=did_you_mean(str(path), known, kind="parameters"))
        return parameter

    def origin(self, value: Value) -> Label | None:
        """Where a value is defined, and its type."""
        return self.around.values.label(value)

    def declared(self, name: str) -> Span | None:
        """Where a dim, a constant or an input is declared."""
        return self.around.values.place(name)

    def in_layers(self, count: int, span: Span | None) -> NodeContext:
        """The same surroundings inside repeated layers, where `layer` may stand in numbers; `span` says how many.

        Raises SpecError E244 for more layers than anybody means.
        """
        if count > _MAX_LAYERS:
            fail("E244", f"too many layers: {count:,}, at most {_MAX_LAYERS:,}", span, help="check the constants")
        return replace(self, layer=Symbol("layer", 0, 0, max(count - 1, 0)))

    def leaf(self, op: Op, *inputs: Value, tie: Mapping[str, Parameter] | None = None) -> Value:
        """Add the one op that a block is, under the node's name."""
        name = self.name and self.owner
        return self.builder.add(op, *inputs, name=name, result=self.result.replace(".", "_"), tie=tie)

    def module(
        self, kind: str, body: Body, inputs: Mapping[str, Value], *, results: Sequence[str] = ()
    ) -> tuple[Value, ...]:
        """Build the module that a block is, under the node's name; inside a repeat the module is open already."""
        if self.name:
            hints = results or (self.result,)
            return self.builder.call(self.name, kind, body, inputs, module=self.owner, results=hints)
        made = body(*inputs.values())
        return (made,) if isinstance(made, Value) else tuple(made)

    def fail(
        self,
        code: str,
        message: str,
        span: Span | None,
        label: str = "",
        *,
        secondary: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str | None = None,
    ) -> NoReturn:
        """Refuse the spec."""
        fail(code, message, span, label, secondary=secondary, notes=notes, help=help)

    def _look(self, path: Path) -> Value | Scalar:
        number = self.around.numbers.names.get(str(path))
        return self.around.values.resolve(path) if number is None else number

    def _keep(self, expr: ValueExpr | PredExpr, value: Value) -> Value:
        # Inside a module the value belongs to a scope that closes.
        if self.builder.path == self.around.scope:
            self.around.made[expr] = value
        return value

    def _add(self, expr: ValueExpr | PredExpr, op: Op, inputs: tuple[Value, ...]) -> Value:
        found = self.around.made.get(expr)
        if found is not None:
            return found
        hint = self.result.replace(".", "_") if expr is self.whole else ""
        with self.builder.settings(span=expr.span):
            return self._keep(expr, self.builder.add(op, *inputs, result=hint))

    def _warn_window(self, message: str, span: Span, help: str) -> None:
        if not self.around.reduced:
            self.around.findings.warn("W401", message, span, help=help)
