"""Trace a module with torch.export, dynamic in every dim that varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from archspec.diagnostics import fail
from archspec.engines.conditions import broken

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

Inputs = Sequence["Tensor"] | Mapping[str, "Tensor"]


def traced(module: nn.Module, inputs: Inputs, shapes: Any, *, partial: bool = False) -> ExportedProgram:
    """Trace the module with inputs in order or by name.

    `shapes` are their dynamic axes, as torch.export takes them, in the order of the inputs; `partial` says that the
    module is part of a model.

    torch.export solves the conditions on one dim that it meets on the way, and refuses those that it cannot solve,
    such as `min(n, n*n) == n` where an axis is merged with one before it. It does not solve those on two dims, or on
    an axis that is derived from a dim. All that it takes as true are computed here; `broken` says for which sizes.

    Raises SpecError E608 if a condition is false for some sizes, or if torch.export refuses how the module uses
    sizes. Other errors, such as one that the module raises itself, are not caught.
    """
    from torch._dynamo.exc import UserError

    refused: list[str] = []
    try:
        # In a step, inequalities between strides are beyond the tracer.
        exported = _export(module, inputs, shapes, deferred=partial)
    except UserError as error:
        refused = _reasons(error)
        if partial:
            _refuse(refused)
        exported = _deferred(module, inputs, shapes)
    false = broken(exported, shapes)
    if false:
        _refuse([*refused, *false[:4]])
    return exported


def _deferred(module: nn.Module, inputs: Inputs, shapes: Any) -> ExportedProgram:
    """Trace what torch.export has refused, with its conditions as assertions. Raises SpecError E608."""
    from torch._dynamo.exc import UserError

    try:
        return _export(module, inputs, shapes, deferred=True)
    except UserError as error:
        _refuse(_reasons(error))


def _export(module: nn.Module, inputs: Inputs, shapes: Any, *, deferred: bool) -> ExportedProgram:
    """Trace; with `deferred`, conditions on sizes are assertions of the program."""
    import torch

    ordered, named = ((), dict(inputs)) if isinstance(inputs, Mapping) else (tuple(inputs), None)
    with torch.no_grad():
        return torch.export.export(
            module, ordered, named, dynamic_shapes=shapes, prefer_deferred_runtime_asserts_over_guards=deferred
        )


def _refuse(notes: list[str]) -> NoReturn:
    """Raise SpecError E608."""
    message = "the network cannot be exported for all sizes of its dims"
    fail("E608", message, None, notes=notes, help="narrow the range of the dim, or give it one size")


def _reasons(error: Exception) -> list[str]:
    """The conditions in an error of torch.export; its first line where it names none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line.removeprefix("- ") for line in lines if line.startswith("- ")] or lines[:1]
    # What follows the first sentence advises a caller of torch.export.
    return [line.partition(". ")[0] for line in named][:4]
