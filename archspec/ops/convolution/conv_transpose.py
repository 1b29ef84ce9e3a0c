"""Transposed convolution over one or more spatial axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product as combinations
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare, product
from archspec.ir.coordinates import same_coordinates
from archspec.ir.motion import Motion, Moves
from archspec.ir.moving import resampled, same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.parts import parts_of
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import call
from archspec.ir.source import sizes as size_of_each
from archspec.ir.types import TensorType
from archspec.ops.convolution.channel_parts import Channels
from archspec.ops.convolution.channels import (
    AxisBound,
    check_channels,
    conjunction,
    group_bound,
    group_bounds,
    space_coordinates,
    written_groups,
)
from archspec.record import record
from archspec.relation.atoms import Difference, Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array

# The most atoms of the relation: composing two relations costs the product of their numbers of atoms.
_MOST_ATOMS = 12


@record
class ConvTranspose(Primitive):
    """`y[b, o, i] = bias[o] + sum over c, j and k with i = stride*j - padding + k of weight[c, o, k] * x[b, c, j]`.

    Kernel, stride, padding and `more`, the positions added at the end of the result, have one number per spatial axis.
    With `groups`, output channel o reads only its own group of input channels.
    Parameters: `weight` [c, o/groups, kernel...], `bias` [o].
    """

    name = "conv_transpose"
    signature = "b c ... -> b o ..."
    anywhere = True
    acts = "affine"
    factors = (0,)
    reads_more = (
        "for many groups of several channels the bound is an interval; axes with several factors are not tracked"
    )

    channels: Dim
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    more: tuple[int, ...]
    groups: int = 1
    bias: bool = True

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The output channels, and `(n - 1)*stride - 2*padding + kernel + more` positions along each space axis.

        Raises ShapeError if that may be less than 1, or the groups do not divide the channels.
        """
        x = inputs[0]
        require(inputs, FLOAT)
        check_channels(x, len(self.kernel), self.channels, self.groups)
        return (x.with_axes(x.axes[0], self.channels, *(self._places(x.shape[2 + k], k) for k in self._axes)),)

    @property
    def _axes(self) -> range:
        """The numbers of the spatial axes."""
        return range(len(self.kernel))

    def _places(self, size: Dim, k: int) -> Dim:
        """The number of positions of the result along space axis `k`. Raises ShapeError if there may be none."""
        places = (size - 1) * self.stride[k] - 2 * self.padding[k] + self.kernel[k] + self.more[k]
        if compare(places, ">=", 1) is not True:
            raise ShapeError(f"padding of {self.padding[k]} may leave no position of an axis of size {size}", (0,))
        # Longer ends are no sum over taps: torch refuses them, because more than one size would explain the input.
        if self.more[k] >= self.stride[k]:
            raise ShapeError(f"{self.more[k]} more positions need a stride of at least {self.more[k] + 1}", (0,))
        return places

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight and, if requested, the bias."""
        x = inputs[0]
        specs = {"weight": ParameterSpec(type=x.with_axes(x.shape[1], self.channels // self.groups, *self.kernel))}
        if self.bias:
            specs["bias"] = ParameterSpec(type=x.with_axes(self.channels), role="bias")
        return specs

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * inputs * (o / groups) * kernel`."""
        return 2 * inputs[0].elements() * (self.channels // self.groups) * product(self.kernel)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same batch row, the channels of the group, and the positions whose taps reach this one."""
        x, y = inputs[0], outputs[0]
        groups = group_bounds(x, y, self.groups)
        if len(groups) > _MOST_ATOMS:
            groups = [group_bound(x, y, self.groups)]
        parts = [[AxisBound(tuple(same_coordinates(y, x, [(0, 0)])))], groups]
        parts += [[self._tap_bound(x, y, k)] for k in self._axes]
        return ((Relation(tuple(conjunction(chosen) for chosen in combinations(*parts))),),)

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """The operand, where an axis has factors, or where many groups have one bound."""
        x, groups = inputs[0], self.groups
        apart = 1 if x.shape[1] == groups or self.channels == groups else groups
        tracked = x.axes[2:] if groups == 1 else x.axes[1:]
        exact = apart <= _MOST_ATOMS and all(len(axis.factors) == 1 for axis in tracked)
        return {} if exact else super().loose(inputs)

    def reaches(self, inputs: Sequence[TensorType]) -> Mapping[int, frozenset[int]]:
        """Along space the first and the last tap are read, however groups and gaps are bounded."""
        return {0: space_coordinates(inputs[0])}

    def _tap_bound(self, x: TensorType, y: TensorType, k: int) -> AxisBound:
        """The positions along space axis `k` from which a tap leads to this one: `i - stride*j + padding` is a tap."""
        if len(x.axes[2 + k].factors) > 1:
            return AxisBound()
        low, high = Dim.of(-self.padding[k]), Dim.of(self.kernel[k] - 1 - self.padding[k])
        out, inp = y.coordinates[2 + k][0], x.coordinates[2 + k][0]
        return AxisBound((Difference(out=out, inp=inp, b=self.stride[k], lo=low, hi=high),))

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By channels or groups, rows, or space that results fill side by side; in terms."""
        steps = zip(self.kernel, self.more, self.padding, self.stride, strict=True)
        space = (k for k, (kernel, more, cut, stride) in enumerate(steps, 2) if not cut and kernel + more == stride)
        channels = Channels(groups=self.groups, bias=self.bias, weight=(1, 0)).ways(0)
        return (*channels, *along([same(0, *space)]))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> ConvTranspose:
        """With its part of the output channels, and of the groups."""
        groups = self.groups // (ranks if way.attributes else 1)
        return replace(self, channels=self.channels // parts_of(way.results[0], 1, ranks), groups=groups)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, `stride` times as far along space; channels are read as a whole."""
        x = operands[0]
        if not isinstance(x, Moves) or x.axis < 2:
            return (together(operands, [same(0)]),)
        k = x.axis - 2
        stride, padding = self.stride[k], self.padding[k]
        # How many results lie between the first place of an end position and the end that is left, or cut off.
        over = (self.kernel[k] - padding, self.kernel[k] + self.more[k] - padding)
        return (
            resampled(
                x,
                outputs[0].shape[x.axis],
                ratio=Fraction(1, stride),
                field=(Fraction(padding - self.kernel[k] + 1, stride), Fraction(padding, stride)),
                beyond=(over[0] > stride, over[1] > stride),
                border="adds nothing from beyond the ends of the axis",
                complete=(over[0] >= stride, over[1] >= stride),
            ),
        )

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Each tap adds its products at the positions to which it leads; the padding is then cut off."""
        import numpy as np

        x, weight = inputs[0], parameters["weight"]
        apart = x.reshape(len(x), self.groups, -1, *x.shape[2:])
        taps = weight.reshape(self.groups, -1, *weight.shape[1:])
        whole = [self._places(Dim.of(x.shape[2 + k]), k).value({}) + 2 * self.padding[k] for k in self._axes]
        y = np.zeros((len(x), self.groups, weight.shape[1], *whole))
        for tap in np.ndindex(*self.kernel):
            steps = zip(tap, x.shape[2:], self.stride, strict=True)
            to = tuple(slice(start, start + (n - 1) * stride + 1, stride) for start, n, stride in steps)
            y[:, :, :, *to] += np.einsum("bgc...,gco->bgo...", apart, taps[:, :, :, *tap])
        y = y.reshape(len(x), -1, *whole)
        y = y[:, :, *(slice(p, n - p) for p, n in zip(self.padding, whole, strict=True))]
        return (y + parameters["bias"].reshape(-1, *(1 for _ in self.kernel)) if self.bias else y,)

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.ConvTranspose2d`, or the class for another number of spatial axes."""
        sizes = (str(inputs[0].shape[1]), str(self.channels), size_of_each(self.kernel))
        bias = None if self.bias else "False"
        return call(f"nn.ConvTranspose{len(self.kernel)}d", *sizes, **self._options(str(self.groups)), bias=bias)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.conv_transpose2d`, or the function for another number of spatial axes."""
        function = f"F.conv_transpose{len(self.kernel)}d"
        groups = written_groups(parameters["weight"], e.types[0].shape[1], self.groups)
        return (call(function, inputs[0], *parameters.values(), **self._options(groups)),)

    def _options(self, groups: str) -> dict[str, str]:
        """The arguments of the layer or the function that differ from PyTorch's defaults."""
        plain = {"stride": 1, "padding": 0, "output_padding": 0}
        given = {"stride": self.stride, "padding": self.padding, "output_padding": self.more}
        options = {key: size_of_each(each) for key, each in given.items() if set(each) != {plain[key]}}
        return options | ({} if self.groups == 1 else {"groups": groups})
