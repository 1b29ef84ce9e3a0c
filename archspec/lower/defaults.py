"""Inputs that may be left out."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ir.graph import Graph, Value
from archspec.ir.types import DType
from archspec.lower.code import ClassCode, Default
from archspec.lower.syntax import parse

_DTYPES = {DType.INT64: "torch.int64", DType.INT32: "torch.int32", DType.BOOL: "torch.bool"}

Number = int | float | bool


def make_optional(code: ClassCode, graph: Graph, defaults: Mapping[str, Number]) -> None:
    """Give the inputs of the whole model that have a default the value that stands for None; they come last."""
    tokens = dict(zip(graph.inputs, code.arguments, strict=True))
    optional = {value: token for value, token in tokens.items() if value.name in defaults}
    required = {value: token for value, token in tokens.items() if value.name not in defaults}
    code.optional = frozenset(optional.values())
    code.arguments = [*required.values(), *optional.values()]
    code.statements[:0] = [
        Default(target=token, value=parse(_filled(code, value, defaults[value.name], required)))
        for value, token in optional.items()
    ]


def _filled(code: ClassCode, value: Value, default: Number, required: Mapping[Value, str]) -> str:
    dtype = _DTYPES.get(value.type.dtype)
    like = next((token for other, token in required.items() if other.type.shape == value.type.shape), None)
    if like:
        word, number = {0.0: ("zeros", ""), 1.0: ("ones", "")}.get(float(default), ("full", f", {default!r}"))
        return f"torch.{word}_like({like}{number}, dtype={dtype or 'torch.get_default_dtype()'})"
    sizes = "".join(f"{code.size(size)}, " for size in value.type.shape)
    device = f", device={next(iter(required.values()))}.device" if required else ""
    return f"torch.full(({sizes}), {default!r}, dtype={dtype or 'torch.get_default_dtype()'}{device})"
