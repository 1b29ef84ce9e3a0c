"""The section `outputs`: compare the values that a model returns with the declared types."""

from __future__ import annotations

from archspec.algebra.dim import compare
from archspec.diagnostics import fail, nearest
from archspec.ir.graph import Value
from archspec.ir.types import TensorType
from archspec.spec.document import OutputFields
from archspec.spec.numbers import Numbers
from archspec.spec.values import Values
from archspec.text.path import Path


def output_value(name: str, fields: OutputFields, path: Path, values: Values, numbers: Numbers) -> Value:
    """The value of an output, checked against its declared type.

    Raises SpecError E201 or E218 if there is no such value, E308 if its type differs from the declared one.
    """
    value = values.resolve(path) if fields.source is not None else _node(path, values)
    declared = numbers.type(fields.type)
    problem = _difference(declared, value.type)
    if problem is not None:
        axis, label = problem
        place = fields.type.span if axis is None else fields.type.axes[axis].span
        message = f"output `{name}` is {value.type}, but {declared} is declared"
        made = values.label(value)
        help = f"declare `{value.type}` if that is intended"
        fail("E308", message, place, label, secondary=[] if made is None else [made], help=help)
    return value


def _node(path: Path, values: Values) -> Value:
    """The value with the name of the output. Raises SpecError E201 if there is none."""
    value = values.get(path)
    if value is None and values.place(str(path)) is None:
        near = nearest(str(path), (name for name in values.names if "." not in name))
        help = f"did you mean `{near}`? " if near else ""
        help += f"to name a value `{path}`, write `{path}: {{from: PATH, type: TYPE}}`"
        fail("E201", f"no node is named `{path}`", path.span, help=help)
    return values.resolve(path)


def _difference(declared: TensorType, found: TensorType) -> tuple[int | None, str] | None:
    """The first difference of two types and its axis, None if it is not at an axis; None for equal types."""
    if declared.dtype != found.dtype:
        return None, f"its dtype is {found.dtype}"
    if declared.rank != found.rank:
        return None, f"it has {found.rank} axes, not {declared.rank}"
    for number, (wanted, size) in enumerate(zip(declared.shape, found.shape, strict=True)):
        if compare(wanted, "==", size) is not True:
            return number, f"axis {number} is {size}, not {wanted}"
    # An output may leave the bound out, and then promises less than its value keeps.
    if declared.bound is not None and declared.bound != found.bound:
        return None, "it has no bound" if found.bound is None else f"its bound is {found.bound}"
    return None
