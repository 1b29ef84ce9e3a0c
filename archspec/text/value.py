"""The sort `value`: a name, a path, or elementwise arithmetic on them."""

from __future__ import annotations

from archspec.text.arithmetic import Application, Arithmetic, InfixOperation, Negation, Number, leaves, read_number
from archspec.text.nodes import TextNode
from archspec.text.path import Path, path_of
from archspec.text.pratt import Grammar, parse_whole

FUNCTIONS = ("exp", "relu", "sigmoid", "silu", "tanh")


class ValueUnary(Negation["ValueExpr"]):
    """A minus sign before a value."""


class ValueBinary(InfixOperation["ValueExpr"]):
    """`left op right`, elementwise, one of + - * /."""


class ValueCall(Application["ValueExpr"]):
    """An elementwise function of one value: exp, tanh, sigmoid, silu or relu."""


ValueExpr = Path | Number | ValueUnary | ValueBinary | ValueCall


def parse_value(node: TextNode) -> ValueExpr:
    """Parse a field's text as a value. Raises SpecError E120, E121, E122 or E126."""
    return parse_whole(node, VALUE)


def paths(value: ValueExpr) -> tuple[Path, ...]:
    """The paths that a value reads, without repeats, in the written order."""
    return tuple(dict.fromkeys(one for one in leaves(value) if isinstance(one, Path)))


# Values are tensors: floor division and remainder are for sizes only.
_NO_ROUNDING = "values support + - * / with exp, relu, sigmoid, silu and tanh"
VALUE: Grammar[ValueExpr] = Arithmetic[ValueExpr](
    functions=FUNCTIONS,
    operators=("+", "-", "*", "/"),
    name=path_of,
    number=read_number,
    negation=ValueUnary,
    operation=ValueBinary,
    application=ValueCall,
    expected="a name, a path, a number or `(`",
    helps={
        ",": "a value is one expression; write a list of values in `[ ]`",
        "//": _NO_ROUNDING,
        "%": _NO_ROUNDING,
        "[": "use the block `slice`: {block: slice, input: ..., axis: ..., start: ..., stop: ...}",
    },
).grammar()
