"""Fields of maps that hold one number for all spatial axes, or a list with one for each axis."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from archspec.blocks.parts.context import Context
from archspec.diagnostics import fail
from archspec.schema.plain import Around
from archspec.schema.reading import Items, collect
from archspec.schema.sorts import ExprField, SizeField, text_of
from archspec.text.expr import Expr, parse_expr

PerAxis = Expr | Sequence[Expr]


def _by_form(node: Any, handler: Any) -> Any:
    """The expressions of a list, or the single one of a text, so that an error in a list is that of its item."""
    return each_of(node) if isinstance(node, Items) else handler(node)


def each_of(items: Items) -> list[Expr]:
    """The expressions of a list. Raises SpecError E204 for an empty list, and the errors of all items."""
    if not items:
        fail("E204", "expected a number for each spatial axis, found an empty list", items.node.span)
    return collect(lambda item: parse_expr(text_of(item, "a number")), items)


PerAxisField = Annotated[SizeField | list[SizeField], Around(_by_form)]
PerAxisNumber = Annotated[ExprField | list[ExprField], Around(_by_form)]


def per_axis(
    cx: Context, value: PerAxis, space: int, read: Callable[[Context, Expr, str], int], field: str
) -> tuple[int, ...]:
    """The whole number of each of `space` axes; `read` evaluates one, and `field` names it in messages.

    Raises SpecError E204 for a list of another length, and what `read` raises.
    """
    return tuple(read(cx, item, field) for item in each_axis(value, space, field))


def each_axis(value: PerAxis, space: int, field: str) -> Sequence[Expr]:
    """The expression of each of `space` axes. Raises SpecError E204 for a list of another length."""
    if not isinstance(value, Sequence):
        return (value,) * space
    if len(value) != space:
        axes = "one spatial axis" if space == 1 else f"{space} spatial axes"
        message = f"`{field}` has {len(value)} numbers, but the input has {axes}"
        fail("E204", message, value[0].span, help="write one number, or one for each axis")
    return value
