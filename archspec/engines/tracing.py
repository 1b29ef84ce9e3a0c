"""Trace a module with torch.export, dynamic in every dim that varies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NoReturn

from archspec.diagnostics import fail

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

Inputs = Sequence["Tensor"] | Mapping[str, "Tensor"]
_MOST = 200_000
"""For how many sizes of a dim a condition is computed; of a longer range, for its ends."""


def traced(module: nn.Module, inputs: Inputs, shapes: Any, *, partial: bool = False) -> ExportedProgram:
    """Trace the module with inputs in order or by name.

    `shapes` are their dynamic axes, as torch.export takes them; `partial` says that the module is part of a model.

    torch.export solves the conditions that it meets on the way, and refuses those that it cannot solve, such as
    `min(n, n*n) == n` where an axis is merged with one before it. These are then computed for all sizes.

    Raises SpecError E608 if a condition does not hold for all sizes, or if the module cannot be traced.
    """
    from torch._dynamo.exc import UserError

    try:
        # In a step, inequalities between strides are beyond the tracer.
        return _export(module, inputs, shapes, deferred=partial)
    except UserError as error:
        refused = error
    try:
        exported = _export(module, inputs, shapes, deferred=True)
    except UserError as error:
        _refuse(_reasons(error))
    broken = list(_broken(exported))
    if broken:
        _refuse([*_reasons(refused), *broken])
    return exported


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


def _broken(exported: ExportedProgram) -> Iterator[str]:
    """The conditions of a program that do not hold for some sizes, with these."""
    import torch
    from torch.utils._sympy.interp import sympy_interp
    from torch.utils._sympy.reference import PythonReferenceAnalysis

    for node in exported.graph.nodes:
        if node.target is not torch.ops.aten._assert_scalar.default:
            continue
        value = getattr(node.args[0], "meta", {}).get("val")
        if not isinstance(value, torch.SymBool):
            continue
        expression = value.node.expr
        symbols = sorted(expression.free_symbols, key=str)
        for sizes in product(*(_sizes(exported, symbol, alone=len(symbols) == 1) for symbol in symbols)):
            known = dict(zip(symbols, sizes, strict=True))
            if not sympy_interp(PythonReferenceAnalysis, known, expression):
                yield f"{expression} is false for {', '.join(f'{symbol} = {size}' for symbol, size in known.items())}"
                break


def _sizes(exported: ExportedProgram, symbol: Any, *, alone: bool) -> list[int]:
    """All sizes of a dim, if not too many; the least and the largest ones if it is not `alone` in a condition."""
    known = exported.range_constraints[symbol]
    low, high = int(known.lower), int(known.upper)
    if alone and high - low < _MOST:
        return list(range(low, high + 1))
    return sorted({low, min(low + 1, high), high})
