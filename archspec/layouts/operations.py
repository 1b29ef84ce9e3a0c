"""The operations of a map on tensors, each with its inverse.

Tensors travel as rows: one row for each name that a line lists, holding one tensor for each index of an extra `*`.
Every operation also runs on the meta device, which is how shapes are checked without reading a tensor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, ClassVar

from archspec.diagnostics import Span
from archspec.layouts.deferred import Altered, Deferred, Joined, Narrowed, Rearranged
from archspec.layouts.rearrange import Misfit, rearrange, solve
from archspec.record import record
from archspec.text.rearrange import RearrangePattern

if TYPE_CHECKING:
    from torch import Tensor

    Rows = list[list[Tensor]]

Shape = tuple[int, ...]
Shapes = list[list[Shape]]
DeferredRows = list[list[Deferred]]


@record
class Operation(ABC):
    """One step from their tensors to ours. `span` is where it is written, `holds` what the field of its word holds.

    `moves` says that it only moves values, whatever they are.
    """

    word: ClassVar[str]
    holds: ClassVar[str]
    moves: ClassVar[bool]

    @classmethod
    def summary(cls) -> str:
        """Return the first sentence of the docstring as the language reference prints it."""
        first = (cls.__doc__ or "").split("\n")[0].rstrip(".")
        return first[:1].lower() + first[1:]

    span: Span = field(compare=False, repr=False)

    @abstractmethod
    def forward(self, rows: Rows, after: Shapes) -> Rows:
        """Convert from theirs to ours; `after` has the shapes to produce, for an operation that needs sizes.

        Raises Misfit if the shapes of `rows` do not fit.
        """

    @abstractmethod
    def backward(self, rows: Rows, before: Shapes | None) -> Rows:
        """Convert from ours to theirs; `before` has the shapes to produce if they are known.

        Raises Misfit if the shapes of `rows` do not fit, or sizes remain open.
        """

    @abstractmethod
    def deferred(self, rows: DeferredRows, after: Shapes) -> DeferredRows:
        """Convert from theirs to ours without reading: what results can be read in boxes.

        The shapes were checked before, by `forward` on the meta device.
        """


@record
class RearrangeOperation(Operation):
    """Split, reorder and merge axes by a pattern; `sizes` gives sizes that do not follow from the shape."""

    word = "rearrange"
    holds = "pattern"
    moves = True

    pattern: RearrangePattern
    sizes: Mapping[str, int]

    def forward(self, rows: Rows, after: Shapes) -> Rows:
        """Rearrange from the left side of the pattern to the right."""
        return [[rearrange(x, self.pattern.left, self.pattern.right, self.sizes) for x in row] for row in rows]

    def backward(self, rows: Rows, before: Shapes | None) -> Rows:
        """Rearrange from the right side to the left, with sizes solved from `before` if it is known."""
        left, right = self.pattern.left, self.pattern.right
        if before is None:
            return [[rearrange(x, right, left, self.sizes) for x in row] for row in rows]
        return [
            [rearrange(x, right, left, solve(shape, left, self.sizes)) for x, shape in zip(row, shapes, strict=True)]
            for row, shapes in zip(rows, before, strict=True)
        ]

    def deferred(self, rows: DeferredRows, after: Shapes) -> DeferredRows:
        """Rearrange boxes from the left side of the pattern to the right."""
        return [[Rearranged(x, self.pattern.left, self.pattern.right, self.sizes) for x in row] for row in rows]


@record
class TransposeOperation(Operation):
    """Swap the last two axes; a tensor with one axis is unchanged, so that whole modules can be mapped."""

    word = "transpose"
    holds = "`true`"
    moves = True

    def forward(self, rows: Rows, after: Shapes) -> Rows:
        """Swap the last two axes."""
        return [[x.mT if x.dim() > 1 else x for x in row] for row in rows]

    def backward(self, rows: Rows, before: Shapes | None) -> Rows:
        """Swap the last two axes again."""
        return self.forward(rows, [])

    def deferred(self, rows: DeferredRows, after: Shapes) -> DeferredRows:
        """Swap the last two axes of boxes."""
        return [[_transposed(x) if len(x.shape) > 1 else x for x in row] for row in rows]


@record
class AddOperation(Operation):
    """Add a number to every value, in float32 at least: Gemma's norms may be stored with their 1."""

    word = "add"
    holds = "number"
    moves = False

    number: float

    def forward(self, rows: Rows, after: Shapes) -> Rows:
        """Add the number."""
        return _shifted(rows, self.number)

    def backward(self, rows: Rows, before: Shapes | None) -> Rows:
        """Subtract the number."""
        return _shifted(rows, -self.number)

    def deferred(self, rows: DeferredRows, after: Shapes) -> DeferredRows:
        """Add the number to what is read."""
        return [[Altered(x, lambda part: _shifted([[part]], self.number)[0][0]) for x in row] for row in rows]


@record
class SplitOperation(Operation):
    """Split one tensor along an axis into the parts of our group."""

    word = "split"
    holds = "axis"
    moves = True

    axis: int

    def forward(self, rows: Rows, after: Shapes) -> Rows:
        """Cut one tensor into parts of the sizes that `after` has along the axis.

        Raises Misfit if these do not add up to the size of the axis.
        """
        ((whole,),) = rows
        sizes = [shape[_place(self.axis, len(shape))] for (shape,) in after]
        axis = _place(self.axis, whole.dim())
        if sum(sizes) != whole.shape[axis]:
            spelled = " + ".join(map(str, sizes))
            raise Misfit(f"axis {self.axis} has {whole.shape[axis]} positions, but the parts have {spelled}")
        return [[part] for part in _cut(whole, sizes, axis)]

    def backward(self, rows: Rows, before: Shapes | None) -> Rows:
        """Concatenate the parts."""
        return _joined(rows, self.axis)

    def deferred(self, rows: DeferredRows, after: Shapes) -> DeferredRows:
        """Take each part where it lies in the whole."""
        ((whole,),) = rows
        axis = _place(self.axis, len(whole.shape))
        sizes = [shape[_place(self.axis, len(shape))] for (shape,) in after]
        return [[Narrowed(whole, axis, sum(sizes[:number]), size)] for number, size in enumerate(sizes)]


@record
class ConcatOperation(Operation):
    """Join the tensors of several names along an axis."""

    word = "concat"
    holds = "axis"
    moves = True

    axis: int
    count: int

    def forward(self, rows: Rows, after: Shapes) -> Rows:
        """Concatenate the tensors."""
        return _joined(rows, self.axis)

    def backward(self, rows: Rows, before: Shapes | None) -> Rows:
        """Cut into parts of the sizes of `before`, or into equal parts if it is unknown.

        Raises Misfit if equal parts do not divide the axis.
        """
        ((whole,),) = rows
        axis = _place(self.axis, whole.dim())
        if before is not None:
            return [[part] for part in _cut(whole, [shape[axis] for (shape,) in before], axis)]
        if whole.shape[axis] % self.count:
            raise Misfit(f"axis {self.axis} has {whole.shape[axis]} positions, not {self.count} equal parts")
        return [[part] for part in whole.chunk(self.count, axis)]

    def deferred(self, rows: DeferredRows, after: Shapes) -> DeferredRows:
        """Read of each tensor what a box needs."""
        parts = [x for (x,) in rows]
        return [[Joined(parts, _place(self.axis, len(parts[0].shape)), _concatenated)]]


@record
class StackOperation(Operation):
    """Stack tensors along a new axis: those of an additional `*`, or those of several names."""

    word = "stack"
    holds = "axis"
    moves = True

    axis: int
    indexed: bool

    def forward(self, rows: Rows, after: Shapes) -> Rows:
        """Stack the tensors of each row (extra `*`), or the one tensor of every row (several names)."""
        if self.indexed:
            return [[_stacked(row, self.axis)] for row in rows]
        return [[_stacked([x for (x,) in rows], self.axis)]]

    def backward(self, rows: Rows, before: Shapes | None) -> Rows:
        """Unbind the stacked axis, into a row (extra `*`) or into rows (several names)."""
        if self.indexed:
            return [list(x.unbind(_place(self.axis, x.dim()))) for (x,) in rows]
        ((whole,),) = rows
        return [[x] for x in whole.unbind(_place(self.axis, whole.dim()))]

    def deferred(self, rows: DeferredRows, after: Shapes) -> DeferredRows:
        """Read of each stacked tensor what a box needs."""
        if self.indexed:
            return [[_stacked_parts(row, self.axis)] for row in rows]
        return [[_stacked_parts([x for (x,) in rows], self.axis)]]


def _shifted(rows: Rows, number: float) -> Rows:
    """Add a number to every value; half precision would lose most digits of what is near it."""
    return [[(x.float() if x.is_floating_point() and x.itemsize < 4 else x) + number for x in row] for row in rows]


def _place(axis: int, rank: int) -> int:
    """Return the axis counted from the front. Raises Misfit if there is none."""
    if not -rank <= axis < rank:
        raise Misfit(f"a tensor of {rank} has no axis {axis}")
    return axis % rank


def _stacked(tensors: Sequence[Tensor], axis: int) -> Tensor:
    """Stack tensors along a new axis. Raises Misfit if shapes differ."""
    if len({tuple(x.shape) for x in tensors}) > 1:
        raise Misfit(f"tensors of different shapes cannot be stacked: {_listed(tensors)}")
    place = _place(axis, tensors[0].dim() + 1)
    return _concatenated([x.unsqueeze(place) for x in tensors], place)


def _joined(rows: Rows, axis: int) -> Rows:
    """Concatenate the one tensor of every row. Raises Misfit if shapes differ in another axis."""
    tensors = [x for (x,) in rows]
    place = _place(axis, tensors[0].dim())
    if len({(*x.shape[:place], *x.shape[place + 1 :]) for x in tensors}) > 1 or len({x.dim() for x in tensors}) > 1:
        raise Misfit(f"tensors can be concatenated only if all axes except {axis} are equal: {_listed(tensors)}")
    return [[_concatenated(tensors, place)]]


def _concatenated(tensors: Sequence[Tensor], axis: int) -> Tensor:
    """Concatenate tensors by their own methods only: a layout is read without loading torch.

    Raises Misfit for tensors of different dtypes, which torch.cat would promote silently.
    """
    dtypes = dict.fromkeys(str(x.dtype) for x in tensors)
    if len(dtypes) > 1:
        raise Misfit(f"tensors of different dtypes cannot be concatenated: {', '.join(dtypes)}")
    first = tensors[0]
    joined = first.new_empty([*first.shape[:axis], sum(x.shape[axis] for x in tensors), *first.shape[axis + 1 :]])
    start = 0
    for x in tensors:
        joined.narrow(axis, start, x.shape[axis]).copy_(x)
        start += x.shape[axis]
    return joined


def _cut(tensor: Tensor, sizes: Sequence[int], axis: int) -> Sequence[Tensor]:
    parts: Sequence[Tensor] = tensor.split(list(sizes), axis)  # type: ignore[no-untyped-call]
    return parts


def _transposed(source: Deferred) -> Deferred:
    """Return a tensor with its last two axes swapped."""
    names = [(f"a{place}",) for place in range(len(source.shape))]
    return Rearranged(source, tuple(names), (*names[:-2], names[-1], names[-2]), {})


def _stacked_parts(parts: Sequence[Deferred], axis: int) -> Deferred:
    """Return tensors of one shape along a new axis."""
    names = [(f"a{place}",) for place in range(len(parts[0].shape))]
    place = _place(axis, len(names) + 1)
    right = (*names[:place], (), *names[place:])
    return Joined([Rearranged(part, tuple(names), right, {}) for part in parts], place, _concatenated)


def _listed(tensors: Sequence[Tensor]) -> str:
    """List the distinct shapes for a message."""
    return ", ".join(dict.fromkeys(str(list(x.shape)) for x in tensors))
