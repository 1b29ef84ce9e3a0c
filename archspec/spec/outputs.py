"""`outputs`: what the model gives, held against the types that the file declares."""

from __future__ import annotations

from archspec.diagnostics import fail
from archspec.ir.dim import compare
from archspec.ir.graph import Value
from archspec.ir.types import TensorType
from archspec.spec.document import OutputFields
from archspec.spec.numbers import Numbers
from archspec.spec.values import Values
from archspec.text.path import Path


def output_value(name: str, fields: OutputFields, path: Path, values: Values, numbers: Numbers) -> Value:
    """The value of an output. Raises SpecError E308 where its type is another one than declared."""
    value = values.resolve(path)
    declared = numbers.type(fields.type)
    problem = _difference(declared, value.type)
    if problem is not None:
        label = values.label(value)
        fail(
            "E308",
            f"output `{name}` is {value.type}, and {declared} is declared",
            fields.type.span,
            problem,
            secondary=[] if label is None else [label],
        )
    return value


def _difference(declared: TensorType, found: TensorType) -> str | None:
    if declared.dtype != found.dtype:
        return f"the dtype is {found.dtype}"
    if declared.rank != found.rank:
        return f"there are {found.rank} axes, not {declared.rank}"
    for number, (wanted, size) in enumerate(zip(declared.shape, found.shape, strict=True)):
        if compare(wanted, "==", size) is not True:
            return f"axis {number} is {size}, not {wanted}"
    if declared.bound is not None and declared.bound != found.bound:
        return "there is no bound" if found.bound is None else f"the bound is {found.bound}"
    return None
