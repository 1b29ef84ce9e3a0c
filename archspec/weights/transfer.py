"""Moving tensors along the steps of a match: theirs to ours, ours to theirs, and shapes alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archspec.diagnostics import Span
from archspec.layouts.operations import Operation, Shape, Shapes, SplitOperation
from archspec.layouts.rearrange import Misfit

if TYPE_CHECKING:
    from torch import Tensor

    from archspec.layouts.operations import Rows


class StepMisfit(Exception):
    """A step that cannot be taken: what does not fit, and the operation's place where one is to blame."""

    def __init__(self, reason: str, span: Span | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.span = span


def forward(operations: Sequence[Operation], rows: Rows, ours: Sequence[Shape]) -> list[Tensor]:
    """Their tensors to ours, of the shapes `ours`. Raises StepMisfit."""
    for number, operation in enumerate(operations):
        after = _pulled_back(operations[number + 1 :], ours) if isinstance(operation, SplitOperation) else []
        with _placed(operation):
            rows = operation.forward(rows, after)
    return [x for (x,) in rows]


def backward(operations: Sequence[Operation], tensors: Sequence[Tensor], theirs: Shapes | None = None) -> Rows:
    """Our tensors to theirs, of the shapes `theirs` where they are known. Raises StepMisfit."""
    befores = _shapes_before(operations, theirs, [tuple(x.shape) for x in tensors])
    rows = [[x] for x in tensors]
    for operation, before in zip(reversed(operations), reversed(befores), strict=True):
        with _placed(operation):
            rows = operation.backward(rows, before)
    return rows


def fit(operations: Sequence[Operation], theirs: Shapes, ours: Sequence[Shape]) -> list[Shape]:
    """The shapes that tensors of the shapes `theirs` come out with. Raises StepMisfit."""
    if not operations:
        return [shape for (shape,) in theirs]
    return [tuple(x.shape) for x in forward(operations, _meta(theirs), ours)]


@contextmanager
def _placed(operation: Operation) -> Iterator[None]:
    """Inside: what does not fit an operation is said with its place."""
    try:
        yield
    except Misfit as misfit:
        raise StepMisfit(str(misfit), operation.span) from None


def _pulled_back(operations: Sequence[Operation], ours: Sequence[Shape]) -> Shapes:
    """The shapes that must stand before `operations` for ours to come out."""
    if not operations:
        return [[shape] for shape in ours]
    rows = backward(operations, [x for (x,) in _meta([[shape] for shape in ours])])
    return [[tuple(x.shape) for x in row] for row in rows]


def _shapes_before(
    operations: Sequence[Operation], theirs: Shapes | None, ours: Sequence[Shape]
) -> Sequence[Shapes | None]:
    """The shapes that stand before each operation, where theirs are known."""
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
    import torch

    return [[torch.empty(shape, device="meta") for shape in row] for row in shapes]
