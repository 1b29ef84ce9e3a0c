"""The context of a node while it is built: what a block may ask of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import count

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

# A larger number is almost certainly a mistake in a constant.
_MAX_LAYERS = 10_000


@record
class GivenMask:
    """The value of a field of sort mask; `cx` is the context of the call, None for the default of the field."""

    syntax: MaskSyntax
    cx: NodeContext | None


@record
class Surroundings:
    """What all nodes of a graph share.

    `reduced` is true for the small copy, in which windows that mask nothing are not reported. `made` holds the values
    of expressions already built. In the body of a user-defined block, `scope` and `key` are the builder's path and key
    of its module, and `masks` its fields of sort mask, each with the context in which it is read. `calls` counts the
    calls of user-defined blocks in the whole spec.
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
    """The context of one part of the graph; it implements `Context` for the block of the part.

    `name` is the name of its module in the scope under construction ("" inside a repeat, which is the module), `owner`
    the node whose parameters it uses, `result` the name of its value. `whole` is the expression of the part, None for a
    block. In a repeat, `carried` is a field and the value that replaces its own.
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
        """Evaluate a size. Raises SpecError if it is not a whole number of at least 1."""
        return self._numbers.size(expr)

    def number(self, expr: Expr) -> Scalar:
        """Evaluate a number, which may depend on dims and, inside layers, on `layer`. Raises SpecError E201, E303."""
        return self._numbers.number(expr)

    def constant(self, expr: Expr) -> float:
        """Evaluate a number that is known before run time. Raises SpecError E303 for one that depends on dims."""
        return self._numbers.constant(expr)

    def value(self, expr: ValueExpr) -> Value:
        """The value of an expression; an elementwise expression is built where it is first needed, and only once."""
        # By identity: only the fed field itself is carried, and equal text in another field keeps its own value.
        if self.carried is not None and expr is self.carried[0]:
            return self.carried[1]
        if isinstance(expr, Path):
            return self.around.values.resolve(expr)
        return self.around.made.get(expr) or self._keep(expr, build_value(expr, self._look, self._add))

    def value_or_number(self, expr: ValueExpr) -> Value | Scalar:
        """The value of an expression; the number that it stands for if it contains no value."""
        number = number_of(expr, self._look)
        return self.value(expr) if number is None else number

    def anchor(self) -> Value:
        """Any value of the graph, a float if there is one. Raises SpecError E242 if the graph has no values."""
        values = list(self.around.values.names.values())
        # Inputs that failed were reported already: an empty error stops this node without a second message.
        if not values and self.around.findings.has_errors:
            raise SpecError([])
        if not values:
            fail("E242", "a graph without inputs", self.builder.span, help="give it an input")
        # A constant takes its precision from here, and integers have none.
        return next((value for value in values if value.type.dtype is DType.FLOAT), values[0])

    def predicate(self, expr: PredExpr) -> Value:
        """The bool value of a predicate; comparisons and logic are built where they are first needed, and only once."""
        found = self.around.made.get(expr)
        if found is not None:
            return found
        made = build_predicate(expr, self.around.values.resolve, self.around.numbers.number, self._add)
        return self._keep(expr, made)

    def mask(self, syntax: MaskSyntax, queries: Value, keys: Value) -> tuple[Mask, tuple[Value, ...]]:
        """A mask over the position axes of `queries` and `keys`, and the values that it reads, in their order.

        Raises SpecError as `MaskReader.read` does.
        """
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
        """The mask of a field of the enclosing block, read in the context of its text; None for an unknown field."""
        found = self.around.masks.get(name)
        if found is None:
            return None
        # Both readers fill the same list of controls, which numbers the values that the mask reads.
        cx = found.cx or self
        return cx._mask_reader(reader.queries, reader.keyed, reader.controls).read(found.syntax)

    def tied(self, path: Path) -> Parameter:
        """The parameter that a path names. Raises SpecError E221 if it does not exist or belongs to repeated layers."""
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
        """A label where a value is defined, with its type; None for a value without a name."""
        return self.around.values.label(value)

    def declared(self, name: str) -> Span | None:
        """Where a name of the spec is declared; None for an unknown name."""
        return self.around.values.place(name)

    def in_layers(self, count: int, span: Span | None) -> NodeContext:
        """The same context inside `count` repeated layers, where numbers may use `layer`, which counts from 0.

        `span` is where the count is written. Raises SpecError E244 for more than 10,000 layers.
        """
        if count > _MAX_LAYERS:
            fail("E244", f"too many layers: {count:,}, at most {_MAX_LAYERS:,}", span, help="check the constants")
        # A symbol needs a range, even where there are no layers.
        return replace(self, layer=Symbol("layer", 0, 0, max(count - 1, 0)))

    def leaf(self, op: Op, *inputs: Value, tie: Mapping[str, Parameter] | None = None) -> Value:
        """Add the single op of a block that needs no module, under the name of the node; `tie` shares parameters."""
        # Inside a repeat there is no name: the parameters belong to the module of the node itself.
        name = self.name and self.owner
        return self.builder.add(op, *inputs, name=name, result=self.result.replace(".", "_"), tie=tie)

    def module(
        self, kind: str, body: Body, inputs: Mapping[str, Value], *, results: Sequence[str] = ()
    ) -> tuple[Value, ...]:
        """Build the module of a block under the name of the node, and return its results.

        Inside a repeat the module is already open, so `body` is called directly.
        """
        if self.name:
            hints = results or (self.result,)
            return self.builder.call(self.name, kind, body, inputs, module=self.owner, results=hints)
        made = body(*inputs.values())
        return (made,) if isinstance(made, Value) else tuple(made)

    def _look(self, path: Path) -> Value | Scalar:
        """The number or the value of a path. Raises SpecError E201 or E218 for an unknown one."""
        number = self.around.numbers.names.get(str(path))
        return self.around.values.resolve(path) if number is None else number

    def _keep(self, expr: ValueExpr | PredExpr, value: Value) -> Value:
        # A value made inside a module belongs to a scope that closes, so later nodes could not use it.
        if self.builder.path == self.around.scope:
            self.around.made[expr] = value
        return value

    def _add(self, expr: ValueExpr | PredExpr, op: Op, inputs: tuple[Value, ...]) -> Value:
        """The value of a part of an expression; equal parts share one op. The whole expression names its value."""
        found = self.around.made.get(expr)
        if found is not None:
            return found
        hint = self.result.replace(".", "_") if expr is self.whole else ""
        with self.builder.settings(span=expr.span):
            return self._keep(expr, self.builder.add(op, *inputs, result=hint))

    def is_map(self, value: Value) -> bool:
        """Whether a block on maps made a value, or another with its axes: batch, channels, space."""
        return value in self.around.values.maps

    def warn(self, code: str, message: str, span: Span | None, help: str) -> None:
        """Keep a warning."""
        self.around.findings.warn(code, message, span, help=help)

    def _warn_window(self, message: str, span: Span, help: str) -> None:
        if not self.around.reduced:
            self.around.findings.warn("W401", message, span, help=help)
