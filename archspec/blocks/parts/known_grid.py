"""The grid of a sequence of patches, followed back to the map that was flattened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.context import Context
from archspec.diagnostics import Span, fail
from archspec.ir.builder import Builder
from archspec.ir.call import Call
from archspec.ir.graph import Node, Value
from archspec.ir.repeat import Repeat
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.elementwise import Elementwise
from archspec.ops.elementwise.where import Where
from archspec.ops.linear.learned import Learned
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.affine import Affine
from archspec.ops.norm.batch_norm import BatchNorm
from archspec.ops.norm.group_norm import GroupNorm
from archspec.ops.norm.layer_norm import LayerNorm
from archspec.ops.norm.rms_norm import RMSNorm
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.transpose import Transpose
from archspec.record import record


@record
class KnownGrid:
    """Rows and columns of the last positions of a sequence, behind `front` others."""

    rows: Dim
    columns: Dim
    front: Dim


def check_grid(cx: Context, x: Value, rows: Dim, columns: Dim, at: Span | None) -> None:
    """Raise SpecError E345 if a written grid differs from that which `x` [batch, positions, features] has for certain.

    A sequence whose grid is not known is not judged.
    """
    known = _GridSearch(cx.builder).known(x, ())
    if known is None:
        return
    wanted = (known.rows, known.columns)
    if all(compare(a, "==", b) is True for a, b in zip((rows, columns), wanted, strict=True)):
        return
    found = f"the grid has {rows} by {columns} positions, but the patches or the map have {wanted[0]} by {wanted[1]}"
    help = f"the sequence was flattened from {wanted[0]} rows and {wanted[1]} columns: write these"
    origin = cx.origin(x)
    fail("E345", found, at, help=help, secondary=() if origin is None else (origin,))


class _GridSearch:
    """Follows sequences back to the maps that they were flattened from, out of the bodies that a builder has open.

    `callers` are finished nodes, outermost first, in whose bodies a value is.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def known(self, x: Value, callers: tuple[Node, ...]) -> KnownGrid | None:
        """The grid of `x` [batch, positions, features] in the bodies of `callers`; None where it is not certain."""
        node = x.producer
        if node is None:
            return next((self.known(found, outer) for found, outer in self._operand(x, callers)), None)
        if x.type.rank != 3:
            return None
        op = node.op
        # Merging gives patches the grid that they were cut by.
        if isinstance(op, Call) and op.kind == "PatchMerging" and len(x.type.axes[1].factors) == 2:
            rows, columns = x.type.axes[1].factors
            return KnownGrid(rows=rows, columns=columns, front=Dim.of(0))
        if isinstance(op, Call | Repeat):
            return self._inside(x, node, callers)
        if isinstance(op, Merge | Transpose):
            return self._flattened(x, callers)
        if isinstance(op, Concat):
            return self._behind(node, callers) if op.axis == 1 else None
        if isinstance(op, Slice):
            return self._cut(node, op, callers)
        if isinstance(op, Binary | Where | Elementwise | Linear | LayerNorm | RMSNorm):
            operands = (y for y in node.inputs if y.type.rank == 3 and y.type.shape[1] == x.type.shape[1])
            return next(self._grids(operands, callers), None)
        return None

    def _grids(self, values: Iterator[Value], callers: tuple[Node, ...]) -> Iterator[KnownGrid]:
        """The known grids of values."""
        return (grid for value in values if (grid := self.known(value, callers)) is not None)

    def _operand(self, x: Value, callers: tuple[Node, ...]) -> Iterator[tuple[Value, tuple[Node, ...]]]:
        """The operand that an input of a body stands for, with the nodes whose bodies it is in; none outside of all.

        What layers carry stands for what the first of them is given.
        """
        for region in callers[-1].regions if callers else ():
            if x in region.inputs:
                yield callers[-1].inputs[region.inputs.index(x)], callers[:-1]
        if not callers and (outer := self._builder.origin(x)) is not x:
            yield outer, ()

    def _inside(self, x: Value, node: Node, callers: tuple[Node, ...]) -> KnownGrid | None:
        """The grid of a result of a body; of layers, the one that all of them pass on."""
        if isinstance(node.op, Repeat) and x.index > 0:
            return None
        found = [self.known(region.outputs[x.index], (*callers, node)) for region in node.regions]
        if isinstance(node.op, Repeat):
            # A layer that turns the grid gives the next one another grid than it was given.
            found.append(self.known(node.inputs[0], callers))
        return found[0] if all(grid == found[0] for grid in found) else None

    def _flattened(self, x: Value, callers: tuple[Node, ...]) -> KnownGrid | None:
        """The sides of a map that became the positions of `x`, by a merge with or without a transposition behind it."""
        order: tuple[int, ...] = (0, 1)
        while x.producer is not None and isinstance(op := x.producer.op, Transpose):
            order = tuple(op.order[k] for k in order)
            x = x.producer.inputs[0]
        node = x.producer
        if node is None or not isinstance(node.op, Merge) or node.op.count != 2 or node.op.axis != order[1]:
            return None
        place = node.op.axis
        # Axes behind the merged one are one further on before it.
        batch = order[0] if order[0] < place else order[0] + 1
        return self._sides(node.inputs[0], (batch, place, place + 1), callers)

    def _sides(self, x: Value, axes: tuple[int, ...], callers: tuple[Node, ...]) -> KnownGrid | None:
        """The sizes of two axes, `axes` without the batch in front, where they are the sides of a convolution's map."""
        node = x.producer
        if node is None:
            return next((self._sides(found, axes, outer) for found, outer in self._operand(x, callers)), None)
        op = node.op
        if isinstance(op, Transpose):
            return self._sides(node.inputs[0], tuple(op.order[k] for k in axes), callers)
        if isinstance(op, Convolution):
            if len(op.kernel) != 2 or axes not in ((0, 2, 3), (0, 3, 2)):
                return None
            return KnownGrid(rows=x.type.shape[axes[1]], columns=x.type.shape[axes[2]], front=Dim.of(0))
        if isinstance(op, Call):
            return self._sides(node.regions[0].outputs[x.index], axes, (*callers, node))
        pointwise = isinstance(op, Elementwise | BatchNorm | GroupNorm | LayerNorm | Affine)
        return self._sides(node.inputs[0], axes, callers) if pointwise else None

    def _behind(self, node: Node, callers: tuple[Node, ...]) -> KnownGrid | None:
        """The grid of the last operand of a concatenation, behind learned tokens."""
        *front, last = node.inputs
        grid = self.known(last, callers)
        # Joined maps may be a larger grid: only learned tokens are none of it for certain.
        if grid is None or not all(self._is_tokens(y, callers) for y in front):
            return None
        return replace(grid, front=sum((y.type.shape[1] for y in front), grid.front))

    def _is_tokens(self, x: Value, callers: tuple[Node, ...]) -> bool:
        """Whether a value holds learned tokens, or is cut from the front of a sequence that they are in front of."""
        node = x.producer
        if node is None or isinstance(node.op, Learned):
            return node is not None
        if not isinstance(node.op, Slice) or node.op.axis != 1 or node.op.start != 0 or node.op.stop is None:
            return False
        grid = self.known(node.inputs[0], callers)
        if grid is None:
            return False
        return compare(node.op.stop, "<=", grid.front) is True and compare(node.op.stop, ">", 0) is True

    def _cut(self, node: Node, op: Slice, callers: tuple[Node, ...]) -> KnownGrid | None:
        """The grid of a sequence without some of the positions in front of it."""
        grid = self.known(node.inputs[0], callers)
        if grid is None or op.axis != 1 or op.stop is not None:
            return None
        # A negative start counts from the end, and one beyond the front cuts into the grid.
        if compare(op.start, ">=", 0) is not True or compare(grid.front, ">=", op.start) is not True:
            return None
        return replace(grid, front=grid.front - op.start)
