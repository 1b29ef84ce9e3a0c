"""The section `inputs`: the values that a model takes, and the promises about them."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from archspec.algebra.dim import compare
from archspec.diagnostics import Span, fail
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.spec.document import InputFields
from archspec.spec.numbers import Numbers
from archspec.text.nodes import TextNode
from archspec.text.scalars import parse_bool, parse_decimal, parse_int

Padding = Literal["any", "right", "left"]


@record
class InputSpec:
    """An input: its type, its promises, and the value that replaces it (broadcast) if it is optional.

    `default` None means that it is required. `padding` says where a bool may be false; `sorted` that integers never
    decrease along the last axis.
    """

    name: str
    type: TensorType
    default: bool | int | float | None = None
    padding: Padding = "any"
    sorted: bool = False
    span: Span


def input_spec(name: str, fields: InputFields, numbers: Numbers, span: Span) -> InputSpec:
    """Check and evaluate one input. Raises SpecError E220 for a default or a promise that its type does not allow."""
    type_ = numbers.type(fields.type)
    if "padding" in fields.given and type_.dtype is not DType.BOOL:
        _refuse("only bool inputs have `padding`", "remove it, or move it to the bool input", fields, span)
    if fields.sorted and not type_.dtype.is_integer:
        _refuse("only integer inputs are `sorted`", "remove it", fields, span)
    default = None if fields.default is None else _default(fields.default, type_)
    return InputSpec(name=name, type=type_, default=default, padding=fields.padding, sorted=fields.sorted, span=span)


def _refuse(message: str, help: str, fields: InputFields, span: Span) -> None:
    """Raise SpecError E220 at the name of the input, with its type as label."""
    fail("E220", message, span, f"this is {fields.type}", help=help)


def _default(node: TextNode, type_: TensorType) -> bool | int | float:
    """The default of an input, parsed by its dtype. Raises SpecError E220 for one outside its bound."""
    if type_.dtype is DType.BOOL:
        return parse_bool(node)
    if type_.dtype.is_integer:
        value = parse_int(node)
        # Without a bound an integer need not be an index, so it may be negative.
        if value < 0 and type_.bound is not None:
            fail("E220", f"the default {value} is negative", node.span, help="write 0 or more")
        if type_.bound is not None and compare(value, "<", type_.bound) is not True:
            message = f"the default {value} is not below the bound {type_.bound}"
            fail("E220", message, node.span, help="write a smaller number")
        return value
    return float(_float(node))


def _float(node: TextNode) -> Fraction:
    """The default of a float input. Raises SpecError E220 for one that is infinite in float64."""
    value = parse_decimal(node)
    # Float64 reaches 1.8e308; the help names a round number below it.
    if abs(value) > 10**300:
        fail("E220", "the default is too large for a float", node.span, help="write a number below 1e300")
    return value
