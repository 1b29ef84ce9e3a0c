"""Evaluate numbers, sizes and types from the constants and dims of a spec."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any

from archspec.algebra.dim import Dim, Symbol, compare
from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Span, SpecError, fail
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.text import expr as text
from archspec.text.expr import Expr
from archspec.text.reserved import LAYER
from archspec.text.types import TypeSyntax


class Names(dict[str, Scalar]):
    """Numbers by name. The error of a name in `failed` has been reported: its uses fail without another message."""

    def __init__(self, values: Mapping[str, Scalar], failed: Collection[str] = ()) -> None:
        super().__init__(values)
        self.failed = frozenset(failed)

    def get(self, key: str, default: Any = None) -> Any:
        """The number of a name, else the default. Raises a SpecError without diagnostics for a failed name."""
        if key in self.failed:
            raise SpecError([])
        return super().get(key, default)


@record
class Numbers:
    """The meaning of names in expressions; `layer` is the index of a repeated layer, None outside layers."""

    names: Names
    layer: Symbol | None = None
    places: Mapping[str, Span] = field(default_factory=dict)

    def size(self, expr: Expr, least: int = 1) -> Dim:
        """Evaluate a size.

        Raises SpecError E201 for an unknown name, E301 for a value that is not whole, E302 for a negative one, E303 for
        an undefined one, E304 for one below `least` or an expression that uses `layer`.
        """
        if LAYER in text.names(expr):
            help = "all layers have the same sizes; `kinds` may differ in options, such as masks"
            fail("E304", "`layer` is allowed only in numbers, not in sizes", expr.span, help=help)
        dim = text.size(expr, self.names, least)
        if compare(dim, "<", least):
            written = text.written(expr)
            value = f"`{written}`" if written == str(dim) else f"`{written}` is {dim}, but"
            fail("E304", f"{value} must be at least {least}", expr.span, help=f"choose a value of at least {least}")
        return dim

    def number(self, expr: Expr) -> Scalar:
        """Evaluate a number. Raises SpecError E201 for an unknown name, E303 for an undefined or too large value."""
        names = self.names
        if self.layer is not None:
            layer = {LAYER: Scalar.of(Dim.of(self.layer))}
            names = Names({**self.names, **layer}, self.names.failed)
        return text.number(expr, names)

    def constant(self, expr: Expr) -> float:
        """Evaluate a number known before run time. Raises SpecError as `number` does, E303 if it depends on dims."""
        value = self.number(expr).constant()
        if value is None:
            fail("E303", f"`{expr}` depends on run-time sizes", expr.span, help="use constants only")
        return float(value)

    def integer(self, expr: Expr) -> int:
        """Evaluate a whole number known before run time; it may be negative.

        Raises SpecError E301 for a value that is not whole, E303 for one that depends on dims.
        """
        dim = text.evaluate(expr, self.names).as_dim()
        if dim is None:
            fail("E301", f"`{text.written(expr)}` is not a whole number", expr.span, help="write a whole number")
        if dim.constant is None:
            fail("E303", f"`{expr}` depends on run-time sizes", expr.span, help="use constants only")
        return dim.constant

    def type(self, syntax: TypeSyntax) -> TensorType:
        """Evaluate a tensor type. Raises SpecError as `size` does, for its axes and its bound."""
        bound = None if syntax.bound is None else self.size(syntax.bound)
        return TensorType.of(DType(syntax.dtype), *(self.size(axis) for axis in syntax.axes), bound=bound)
