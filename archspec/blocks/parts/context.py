"""What a block may ask of the spec around it while it builds itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, NoReturn, Protocol

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Label, Span
from archspec.ir.builder import Body, Builder
from archspec.ir.graph import Parameter, Value
from archspec.ir.op import Op
from archspec.masks.mask import Mask
from archspec.record import record
from archspec.text.expr import Expr
from archspec.text.mask import MaskSyntax
from archspec.text.path import Path
from archspec.text.pred import PredExpr
from archspec.text.value import ValueExpr

if TYPE_CHECKING:
    from archspec.blocks.parts.norm_fields import NormFields


@record
class Defaults:
    """The file's `defaults`, where a block leaves a field out."""

    norm: NormFields | None = None
    bias: bool = True
    dropout: float = 0.0


@record
class Built:
    """What a block gives: its main value, and further ones by port name."""

    main: Value
    ports: Mapping[str, Value] = field(default_factory=dict)


class Context(Protocol):
    """The surroundings of one node. Every method that reads text raises SpecError with the text's span."""

    @property
    def builder(self) -> Builder:
        """The graph under construction."""
        ...

    @property
    def defaults(self) -> Defaults:
        """The file's defaults."""
        ...

    def size(self, expr: Expr) -> Dim:
        """A size; an error where it is no whole number, or below 1."""
        ...

    def number(self, expr: Expr) -> Scalar:
        """A number, which may depend on dims and, inside layers, on `layer`."""
        ...

    def constant(self, expr: Expr) -> float:
        """A number that is known before run time (a rate, an epsilon)."""
        ...

    def value(self, expr: ValueExpr) -> Value:
        """A value; elementwise expressions are built on the spot."""
        ...

    def value_or_number(self, expr: ValueExpr) -> Value | Scalar:
        """A value, or a number where the expression names none."""
        ...

    def anchor(self) -> Value:
        """Some value that can be reached, floats before others: it gives device and precision."""
        ...

    def predicate(self, expr: PredExpr) -> Value:
        """A bool value: comparisons and logic are built on the spot."""
        ...

    def mask(self, syntax: MaskSyntax, queries: Value, keys: Value) -> tuple[Mask, tuple[Value, ...]]:
        """A mask over the position axes (axis 1) of `queries` and `keys`, with its control values.

        Refuses, at the mask's span: a control whose dtype or last axis does not fit, `causal`, `last`, `within` and
        `same_segment` over unequal axes; warns of a window no shorter than the dim's max.
        """
        ...

    def tied(self, path: Path) -> Parameter:
        """The parameter that a path names, for `tie`."""
        ...

    def origin(self, value: Value) -> Label | None:
        """Where a value is defined, and its type; None for one without a name."""
        ...

    def declared(self, name: str) -> Span | None:
        """Where a dim, a constant or an input is declared."""
        ...

    def in_layers(self, count: int, span: Span | None) -> Context:
        """The same surroundings inside repeated layers, where `layer` (0-based) may stand in numbers.

        `span` is where their number stands. Raises SpecError E244 for more than anybody means.
        """
        ...

    def leaf(self, op: Op, *inputs: Value, tie: Mapping[str, Parameter] | None = None) -> Value:
        """Add the one op that a block is, under the node's name."""
        ...

    def module(
        self, kind: str, body: Body, inputs: Mapping[str, Value], *, results: Sequence[str] = ()
    ) -> tuple[Value, ...]:
        """Build the module that a block is, under the node's name; `kind` names its class."""
        ...

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
        ...


__all__ = ["Built", "Context", "Defaults"]
