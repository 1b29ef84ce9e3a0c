"""`decode`: what generation feeds back."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.diagnostics import did_you_mean, fail
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.spec.document import DecodeFields
from archspec.spec.inputs import InputSpec
from archspec.spec.numbers import Numbers
from archspec.spec.spec import Decode
from archspec.text.expr import Expr
from archspec.text.path import Path


def resolve_decode(
    fields: DecodeFields, inputs: Mapping[str, InputSpec], outputs: Mapping[str, Value], numbers: Numbers
) -> Decode:
    """Check `decode`. Raises SpecError E201 for an unknown name, E224 for one of the wrong type or a negative id."""
    grown = inputs[_known(fields.input, inputs, "input")]
    if not grown.type.dtype.is_integer or grown.type.rank != 2:
        fail("E224", f"`{grown.name}` is {grown.type}, and ids over [batch, positions] grow", fields.input.span)
    name = _known(fields.output, outputs, "output")
    logits = outputs[name].type
    if logits.dtype is not DType.FLOAT or logits.rank != 3 or logits.shape[:2] != grown.type.shape:
        axes = ", ".join(map(str, grown.type.shape))
        fail("E224", f"`{name}` is {logits}, and logits are float[{axes}, vocab]", fields.output.span)
    ends = fields.end if isinstance(fields.end, list) else [] if fields.end is None else [fields.end]
    return Decode(
        input=grown.name,
        output=name,
        start=None if fields.start is None else _id(fields.start, numbers),
        end=tuple(_id(end, numbers) for end in ends),
    )


def _known(path: Path, names: Mapping[str, object], what: str) -> str:
    if str(path) not in names:
        help = did_you_mean(str(path), names, kind=f"{what}s")
        fail("E201", f"there is no {what} `{path}`", path.span, help=help)
    return str(path)


def _id(expr: Expr, numbers: Numbers) -> int:
    value = numbers.integer(expr)
    if value < 0:
        fail("E224", f"the id {value} is negative", expr.span, help="write `none` for no id")
    return value
