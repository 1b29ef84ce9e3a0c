"""The first statements of `forward`: fill in omitted arguments, and reject bool inputs of another dtype."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ir.graph import Graph, Value
from archspec.ir.types import DType
from archspec.lower.code import ClassCode, Default, Require, Statement
from archspec.lower.syntax import parse

DTYPES = {DType.INT64: "torch.int64", DType.INT32: "torch.int32", DType.INT8: "torch.int8", DType.BOOL: "torch.bool"}

Number = int | float | bool


def make_optional(code: ClassCode, graph: Graph, defaults: Mapping[str, Number]) -> None:
    """Make the inputs of the whole model that have a default optional: None is replaced by the default value.

    Args:
        code: the code of the model; its arguments are the inputs of the graph, in order.
        graph: the graph of the model.
        defaults: default values by input name.
    """
    tokens = dict(zip(graph.inputs, code.arguments, strict=True))
    optional = {value: token for value, token in tokens.items() if value.name in defaults}
    required = {value: token for value, token in tokens.items() if value.name not in defaults}
    code.optional = frozenset(optional.values())
    # In front of all other statements, which may read what is filled in.
    code.statements[:0] = [
        Default(target=token, value=parse(_filled(code, value, defaults[value.name], required)))
        for value, token in optional.items()
    ]


def require_bools(code: ClassCode, graph: Graph) -> None:
    """Add statements that raise TypeError if a bool input has another dtype.

    Without them, attention would add a float mask of zeros and ones to the scores. They follow the statements that fill
    in defaults, because an omitted input has no dtype.
    """
    tokens = dict(zip(graph.inputs, code.arguments, strict=True))
    first = len([one for one in code.statements if isinstance(one, Default)])
    code.statements[first:first] = bool_checks(tokens)


def bool_checks(tokens: Mapping[Value, str]) -> list[Statement]:
    """Statements that raise TypeError if a bool argument, given with its token, has another dtype."""
    return [
        Require(target=token, test=parse(f"{token}.dtype != torch.bool"), value=parse(_refusal(value.name, token)))
        for value, token in tokens.items()
        if value.type.dtype is DType.BOOL
    ]


def default_values(code: ClassCode, tokens: Mapping[Value, str], defaults: Mapping[str, Number]) -> list[Statement]:
    """Statements that fill in those of some arguments that have a default, and check that masks are bool."""
    required = {value: token for value, token in tokens.items() if value.name not in defaults}
    made: list[Statement] = [
        Default(target=token, value=parse(_filled(code, value, defaults[value.name], required)))
        for value, token in tokens.items()
        if value.name in defaults
    ]
    return [*made, *bool_checks(tokens)]


def _refusal(name: str, token: str) -> str:
    """Source of the exception; the dtype that was given is inserted when the statement runs."""
    return f'TypeError(f"`{name}` must be torch.bool, not {{{token}.dtype}}")'


def _filled(code: ClassCode, value: Value, default: Number, required: Mapping[Value, str]) -> str:
    """Source of a default: like a required input of the same shape if there is one, else from the sizes."""
    dtype = DTYPES.get(value.type.dtype)
    like = next((token for other, token in required.items() if other.type.shape == value.type.shape), None)
    if like:
        word, number = {0.0: ("zeros", ""), 1.0: ("ones", "")}.get(float(default), ("full", f", {default!r}"))
        return f"torch.{word}_like({like}{number}, dtype={dtype or 'torch.get_default_dtype()'})"
    sizes = "".join(f"{code.size(size)}, " for size in value.type.shape)
    device = f", device={next(iter(required.values()))}.device" if required else ""
    return f"torch.full(({sizes}), {default!r}, dtype={dtype or 'torch.get_default_dtype()'}{device})"
