"""Move tensors through the operations of a line: theirs to ours, ours to theirs, or shapes only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archspec.diagnostics import Span
from archspec.layouts.deferred import Deferred
from archspec.layouts.operations import DeferredRows, Operation, Shape, Shapes, SplitOperation
from archspec.layouts.rearrange import Misfit

if TYPE_CHECKING:
    from torch import Tensor

    from archspec.layouts.operations import Rows


class StepMisfit(Exception):
    """An operation cannot be applied: why, and where it is written if one operation is the cause."""

    def __init__(self, reason: str, span: Span | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.span = span


def forward(operations: Sequence[Operation], rows: Rows, ours: Sequence[Shape]) -> list[Tensor]:
    """Convert their tensors to ours, whose shapes are `ours`.

    `rows` has a row for each name that the line lists. Returns one tensor for each of ours. Raises StepMisfit.
    """
    for number, operation in enumerate(operations):
        # A split cuts parts of sizes that only the operations after it tell.
        after = _pulled_back(operations[number + 1 :], ours) if isinstance(operation, SplitOperation) else []
        with _placed(operation):
            rows = operation.forward(rows, after)
    return [x for (x,) in rows]


def deferred(operations: Sequence[Operation], rows: DeferredRows, ours: Sequence[Shape]) -> list[Deferred]:
    """Convert their tensors to ours without reading any; what `fit` accepted does."""
    for number, operation in enumerate(operations):
        after = _pulled_back(operations[number + 1 :], ours) if isinstance(operation, SplitOperation) else []
        rows = operation.deferred(rows, after)
    return [x for (x,) in rows]


def backward(operations: Sequence[Operation], tensors: Sequence[Tensor], theirs: Shapes | None = None) -> Rows:
    """Convert our tensors to theirs, of the shapes `theirs` if those are known. Raises StepMisfit."""
    befores = _shapes_before(operations, theirs, [tuple(x.shape) for x in tensors])
    rows = [[x] for x in tensors]
    for operation, before in zip(reversed(operations), reversed(befores), strict=True):
        with _placed(operation):
            rows = operation.backward(rows, before)
    return rows


def fit(operations: Sequence[Operation], theirs: Shapes, ours: Sequence[Shape]) -> list[Shape]:
    """Return the shapes that tensors of the shapes `theirs` are converted to. Raises StepMisfit."""
    if not operations:
        return [shape for (shape,) in theirs]
    return [tuple(x.shape) for x in forward(operations, _meta(theirs), ours)]


@contextmanager
def _placed(operation: Operation) -> Iterator[None]:
    """Turn a Misfit inside the context into a StepMisfit at the operation's place."""
    try:
        yield
    except Misfit as misfit:
        raise StepMisfit(str(misfit), operation.span) from None


def _pulled_back(operations: Sequence[Operation], ours: Sequence[Shape]) -> Shapes:
    """Return the shapes that must enter `operations` for the shapes `ours` to come out."""
    if not operations:
        return [[shape] for shape in ours]
    rows = backward(operations, [x for (x,) in _meta([[shape] for shape in ours])])
    return [[tuple(x.shape) for x in row] for row in rows]


def _shapes_before(
    operations: Sequence[Operation], theirs: Shapes | None, ours: Sequence[Shape]
) -> Sequence[Shapes | None]:
    """Return the shapes that enter each operation on the way to ours, None for each if theirs are not known."""
    if theirs is None:
        return [None] * len(operations)
    befores: list[Shapes] = []
    rows = _meta(theirs)
    for number, operation in enumerate(operations):
        befores.append([[tuple(x.shape) for x in row] for row in rows])
        after = _pulled_back(operations[number + 1 :], ours) if isinstance(operation, SplitOperation) else []
        with _placed(operation):
            rows = operation.forward(rows, after)
    return befores


def _meta(shapes: Shapes) -> Rows:
    """Return tensors of these shapes without memory: operations on them compute shapes only."""
    import torch

    return [[torch.empty(shape, device="meta") for shape in row] for row in shapes]
