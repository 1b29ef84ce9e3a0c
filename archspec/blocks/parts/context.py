"""The interface through which a block reads the spec around it while it is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

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
    """The section `defaults` of the file: values for fields that a block leaves out."""

    norm: NormFields | None = None
    bias: bool = True
    dropout: float = 0.0


@record
class Built:
    """The result of a block: its main value, and further values by port name."""

    main: Value
    ports: Mapping[str, Value] = field(default_factory=dict)


class Context(Protocol):
    """The context of one node. Every method that evaluates a text raises SpecError with the span of the text."""

    @property
    def builder(self) -> Builder:
        """The graph under construction."""
        ...

    @property
    def defaults(self) -> Defaults:
        """The file's defaults."""
        ...

    def size(self, expr: Expr) -> Dim:
        """Evaluate a size. Raises SpecError if it is not a whole number of at least 1."""
        ...

    def number(self, expr: Expr) -> Scalar:
        """Evaluate a number, which may depend on dims and, inside layers, on `layer`."""
        ...

    def constant(self, expr: Expr) -> float:
        """Evaluate a number that is known before run time, such as a rate or an epsilon."""
        ...

    def value(self, expr: ValueExpr) -> Value:
        """The value of an expression; elementwise expressions are built at once."""
        ...

    def value_or_number(self, expr: ValueExpr) -> Value | Scalar:
        """The value of an expression; the number that it stands for if it contains no value."""
        ...

    def anchor(self) -> Value:
        """Any value of the graph, a float if there is one; constants take device and precision from it."""
        ...

    def predicate(self, expr: PredExpr) -> Value:
        """The bool value of a predicate; comparisons and logic are built at once."""
        ...

    def mask(self, syntax: MaskSyntax, queries: Value, keys: Value) -> tuple[Mask, tuple[Value, ...]]:
        """A mask over the position axes (axis 1) of `queries` and `keys`, with the values that it reads.

        Raises SpecError, at the atom, for a control whose dtype or axes do not fit, and for an atom that compares
        positions if the axes differ. Warns of a window that masks nothing.
        """
        ...

    def tied(self, path: Path) -> Parameter:
        """The parameter that a path names, for `tie`. Raises SpecError if it does not exist or cannot be shared."""
        ...

    def origin(self, value: Value) -> Label | None:
        """A label where a value is defined, with its type; None for a value without a name."""
        ...

    def is_map(self, value: Value) -> bool:
        """Whether the axes of a value are batch, channels, space: a block on maps made it, or a value of its axes."""
        ...

    def declared(self, name: str) -> Span | None:
        """Where a name of the spec is declared; None for an unknown name."""
        ...

    def in_layers(self, count: int, span: Span | None) -> Context:
        """The same context inside `count` repeated layers, where numbers may use `layer`, which counts from 0.

        `span` is where the count is written. Raises SpecError E244 for too many layers.
        """
        ...

    def leaf(self, op: Op, *inputs: Value, tie: Mapping[str, Parameter] | None = None) -> Value:
        """Add the single op of a block that needs no module, under the name of the node; `tie` shares parameters."""
        ...

    def module(
        self, kind: str, body: Body, inputs: Mapping[str, Value], *, results: Sequence[str] = ()
    ) -> tuple[Value, ...]:
        """Build the module of a block under the name of the node, and return its results.

        `kind` is the name of its class, `inputs` the operands by argument name, and `results` hints for their names.
        """
        ...

    def warn(self, code: str, message: str, span: Span | None, help: str) -> None:
        """Keep a warning, with advice."""
        ...


__all__ = ["Built", "Context", "Defaults"]
