"""Maximum or mean over windows of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import same_coordinates
from archspec.ir.motion import Motion, Moves
from archspec.ir.moving import same, together, windowed
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along, summed
from archspec.ir.source import call, operand
from archspec.ir.source import sizes as size_of_each
from archspec.ir.types import TensorType
from archspec.ops.convolution.channels import are_side_by_side
from archspec.record import record
from archspec.relation.atoms import Atom, Difference, Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class WindowPool(Primitive):
    """`y[b, c, i]` is the maximum or the mean of `x[b, c, stride*i - padding + k]` over the kernel positions k.

    Kernel, stride and padding have one number per spatial axis. The maximum ignores padding; the mean counts it as
    zeros.
    """

    name = "window_pool"
    signature = "b c ... -> b c ..."
    anywhere = True
    reads_more = "spatial axes with several factors are not tracked"

    kind: Literal["max", "mean"]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The number of windows along each space axis. Raises ShapeError if a window may not fit."""
        require(inputs, FLOAT)
        x = inputs[0]
        if x.rank != 2 + len(self.kernel):
            raise ShapeError(f"needs batch, channels and {len(self.kernel)} spatial axes, got {x}", (0,))
        # PyTorch refuses padding of more than half of the kernel.
        if any(2 * padding > kernel for padding, kernel in zip(self.padding, self.kernel, strict=True)):
            raise ShapeError(f"padding of {max(self.padding)} is more than half of the kernel", (0,))
        return (x.with_axes(*x.axes[:2], *(self._places(x.shape[2 + k], k) for k in range(len(self.kernel)))),)

    def _places(self, size: Dim, k: int) -> Dim:
        """The number of windows along space axis `k`. Raises ShapeError if a window may not fit."""
        padded = size + 2 * self.padding[k]
        if compare(padded, ">=", self.kernel[k]) is not True:
            raise ShapeError(f"a kernel of {self.kernel[k]} may not fit into {padded}", (0,))
        return (padded - self.kernel[k]) // self.stride[k] + 1

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same row and channel, and the space positions that the window covers."""
        x, y = inputs[0], outputs[0]
        found = list(same_coordinates(y, x, [(0, 0), (1, 1)]))
        for k in range(len(self.kernel)):
            if len(x.axes[2 + k].factors) == 1:
                low, high = Dim.of(self.padding[k] - self.kernel[k] + 1), Dim.of(self.padding[k])
                out, inp = y.coordinates[2 + k][0], x.coordinates[2 + k][0]
                found.append(Difference(out=out, inp=inp, a=self.stride[k], lo=low, hi=high))
        return ((Relation((Atom(differences=frozenset(found)),)),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows, channels, or space whose windows fill it side by side; in terms, but for a maximum."""
        windows = zip(inputs[0].shape[2:], self.kernel, self.stride, self.padding, strict=True)
        space = (k for k, window in enumerate(windows, 2) if are_side_by_side(*window))
        return (*along([same(0, 1, *space)]), *(() if self.selects else summed(inputs)))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, by windows along space."""
        (x,) = operands
        if not isinstance(x, Moves) or x.axis < 2:
            return (together(operands, [same(0, 1)]),)
        k = x.axis - 2
        padding = (self.padding[k], self.padding[k])
        size = outputs[0].shape[x.axis]
        return (windowed(x, size, reach=self.kernel[k], stride=self.stride[k], padding=padding),)

    @property
    def selects(self) -> bool:
        """Whether it is the maximum."""
        return self.kind == "max"

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """Affine, but for the maximum."""
        return (frozenset((0,)) if self.selects else frozenset(),)

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """The operand, where a spatial axis has factors."""
        return super().loose(inputs) if any(len(axis.factors) > 1 for axis in inputs[0].axes[2:]) else {}

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The maximum or mean over all windows at once."""
        import numpy as np

        # Minus infinity is never the maximum; zeros count in the mean, as PyTorch's default does.
        fill = -np.inf if self.kind == "max" else 0.0
        pads = [(0, 0), (0, 0), *((p, p) for p in self.padding)]
        padded = np.pad(inputs[0], pads, constant_values=fill)
        axes = tuple(range(2, 2 + len(self.kernel)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.kernel, axis=axes)
        windows = windows[(slice(None), slice(None), *(slice(None, None, stride) for stride in self.stride))]
        inner = tuple(range(-len(self.kernel), 0))
        return (windows.max(inner) if self.kind == "max" else windows.mean(inner),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.max_pool2d` or `F.avg_pool2d`; a 1-D map becomes an image of one row.

        torch.export would fix the size that `F.max_pool1d` sees.
        """
        signals = len(self.kernel) == 1
        kernel, stride, padding = (
            ((neutral, *sizes) if signals else sizes)
            for neutral, sizes in ((1, self.kernel), (1, self.stride), (0, self.padding))
        )
        x = f"{operand(inputs[0])}.unsqueeze(2)" if signals else inputs[0]
        # PyTorch's default stride of a pool is its kernel, so it is not written then.
        pooled = call(
            f"F.{'max' if self.kind == 'max' else 'avg'}_pool2d",
            x,
            size_of_each(kernel),
            stride=None if stride == kernel else size_of_each(stride),
            padding=size_of_each(padding) if any(padding) else None,
        )
        return (f"{pooled}.squeeze(2)" if signals else pooled,)
