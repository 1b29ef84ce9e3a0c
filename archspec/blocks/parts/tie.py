"""The field `tie`: use a weight that another node owns."""

from __future__ import annotations

from typing import NoReturn

from archspec.blocks.parts.context import Context
from archspec.diagnostics import Label, Span, fail
from archspec.ir.graph import Parameter
from archspec.text.path import Path


def tied_weight(
    cx: Context, path: Path, rows: int | None, rows_at: Span | None, width: int, width_at: Span
) -> tuple[int, dict[str, Parameter]]:
    """The number of rows of a tied weight [rows, width], and the tie by parameter name.

    `rows` is the declared number of rows, None if not given; `rows_at` and `width_at` are where the sizes come from.
    Raises SpecError E346 if the parameter does not have two axes of these sizes.
    """
    parameter = cx.tied(path)
    sizes = [size.constant for size in parameter.type.shape]
    if len(sizes) != 2 or sizes[0] is None:
        fail("E346", f"`{path}` is {parameter.type}, expected a weight with two axes", path.span)
    if rows is not None and rows != sizes[0]:
        _disagrees(path, parameter, f"{rows} rows are expected", rows_at)
    if width != sizes[1]:
        _disagrees(path, parameter, f"the input has {width} features", width_at)
    return sizes[0], {"weight": parameter}


def _disagrees(path: Path, parameter: Parameter, wanted: str, span: Span | None) -> NoReturn:
    """Raise SpecError E346 for a tied weight of other sizes than expected."""
    sizes = ", ".join(map(str, parameter.type.shape))
    fail(
        "E346",
        f"`{path}` is [{sizes}], but {wanted}",
        path.span,
        secondary=() if span is None else (Label(span, wanted),),
    )
