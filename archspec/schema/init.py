"""INIT: the initialisation of weights and tables."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from archspec.diagnostics import Diagnostic
from archspec.ir.init import Init
from archspec.schema.findings import kind_of, misplaced, missing
from archspec.schema.model import Model
from archspec.schema.sorts import ExprField
from archspec.text.expr import Expr
from archspec.text.nodes import Node, TextNode

_FIELDS = {
    "normal": ("std",),
    "truncated_normal": ("std",),
    "uniform": ("limit",),
    "xavier_uniform": (),
    "kaiming_normal": (),
    "zeros": (),
    "ones": (),
    "number": ("value",),
}
_CONSTANTS = {"zeros": 0.0, "ones": 1.0}

Kind = Literal["normal", "truncated_normal", "uniform", "xavier_uniform", "kaiming_normal", "zeros", "ones", "number"]


class InitFields(Model):
    """How a parameter starts: a distribution, `zeros`, `ones`, or a number."""

    shorthand: ClassVar[str | None] = "kind"

    kind: Literal[
        "normal", "truncated_normal", "uniform", "xavier_uniform", "kaiming_normal", "zeros", "ones", "number"
    ] = Field(description="the distribution; a bare number is a constant of that value")
    std: ExprField | None = Field(
        default=None,
        description="standard deviation of normal, and of truncated_normal, which is cut at -2 and 2",
    )
    limit: ExprField | None = Field(default=None, description="uniform: values from -limit to limit")
    value: ExprField | None = Field(default=None, description="initial value of every element")

    @classmethod
    def _data(cls, node: Node, found: list[Diagnostic]) -> dict[str, Any]:
        # A bare text that is not a kind is an expression: `init: 0.5` means `{kind: number, value: 0.5}`.
        if isinstance(node, TextNode) and node.value not in _FIELDS:
            return {"kind": TextNode(value="number", span=node.span), "value": node}
        return super()._data(node, found)

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        kind = kind_of(data.get("kind"))
        yield from misplaced(node, data, kind, _FIELDS)
        for field in _FIELDS.get(kind or "", ()):
            yield from missing(node, data, field, cls._field_help().get(field))

    def resolve(self, constant: Callable[[Expr], float]) -> Init:
        """The initialisation with its numbers computed; `constant` evaluates an expression to a float."""
        if self.kind in _CONSTANTS:
            return Init(kind="constant", value=_CONSTANTS[self.kind])
        # Every kind has at most one number, and `_check` has made sure that it is given.
        numbers: Mapping[str, Expr | None] = {"std": self.std, "limit": self.limit, "value": self.value}
        (expr,) = (numbers[field] for field in _FIELDS[self.kind]) if _FIELDS[self.kind] else (None,)
        kind = "constant" if self.kind == "number" else self.kind
        return Init(kind=kind, value=0.0 if expr is None else constant(expr))
