"""Convolution over one or more spatial axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product as combinations
from math import prod
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare, product
from archspec.ir.coordinates import aligned, same_coordinates
from archspec.ir.motion import Motion, Moves
from archspec.ir.moving import same, together, windowed
from archspec.ir.op import Coefficients, Emitter, ParameterSpec, Placement, PositionsOf, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, INTEGER, require
from archspec.ir.parts import parts_of
from archspec.ir.placement import Sharding
from archspec.ir.sharded import along
from archspec.ir.source import call, operand
from archspec.ir.source import sizes as size_of_each
from archspec.ir.types import TensorType
from archspec.ops.convolution.channel_parts import Channels
from archspec.ops.convolution.channels import (
    AxisBound,
    are_side_by_side,
    check_channels,
    conjunction,
    group_bound,
    group_bounds,
    space_coordinates,
    written_groups,
)
from archspec.ops.state.entries_before import ENTRIES_AT, entries_at
from archspec.record import record
from archspec.relation.atoms import Difference, Relation

if TYPE_CHECKING:
    from archspec.ir.op import Array

# The most atoms of the relation: composing two relations costs the product of their numbers of atoms.
_MOST_ATOMS = 12


@record
class Convolution(Primitive):
    """`y[b, o, i] = bias[o] + sum over c and k of weight[o, c, k] * x[b, c, stride*i - padding + dilation*k]`.

    Kernel, stride, padding and dilation have one number per spatial axis. Padding is with zeros, equal at both ends.
    With `groups`, output channel o reads only its own group of input channels. With `causal` there is one spatial axis,
    without stride, and zeros are added in front alone: `dilation * (kernel - 1)`. With `ids` such a convolution takes
    the positions [b, n] of the result's entries and those [b, m] or [m] of the input's.
    Parameters: `weight` [o, c/groups, kernel...], `bias` [o].
    """

    name = "convolution"
    signature = "b c ... -> b o ..."
    anywhere = True
    factors = (0,)
    reads_more = (
        "for many groups of several channels, and for dilated kernels with many taps, the bound is an interval; "
        "channels and spatial axes with several factors are not tracked"
    )

    channels: Dim
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    bias: bool = True
    causal: bool = False
    ids: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The output channels, and the number of kernel positions along each space axis.

        Raises ShapeError if the kernel may not fit, or the groups do not divide the channels.
        """
        x = inputs[0]
        require(inputs, FLOAT, INTEGER, INTEGER) if self.ids else require(inputs, FLOAT)
        check_channels(x, len(self.kernel), self.channels, self.groups)
        if self.causal:
            return (x.with_axes(x.axes[0], self.channels, inputs[1].axes[1] if self.ids else x.axes[2]),)
        space = (self._places(x.shape[2 + k], k) for k in range(len(self.kernel)))
        return (x.with_axes(x.axes[0], self.channels, *space),)

    def _places(self, size: Dim, k: int) -> Dim:
        """The number of kernel positions along space axis `k`. Raises ShapeError if the kernel may not fit."""
        padded, reach = size + 2 * self.padding[k], self.dilation[k] * (self.kernel[k] - 1) + 1
        if compare(padded, ">=", reach) is not True:
            raise ShapeError(f"a kernel with a reach of {reach} may not fit into {padded}", (0,))
        return (padded - reach) // self.stride[k] + 1

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight and, if requested, the bias."""
        x = inputs[0]
        weight = x.with_axes(self.channels, x.shape[1] // self.groups, *self.kernel)
        specs = {"weight": ParameterSpec(type=weight, channels=1)}
        if self.bias:
            specs["bias"] = ParameterSpec(type=x.with_axes(self.channels), role="bias")
        return specs

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * outputs * (c / groups) * kernel`."""
        return 2 * outputs[0].elements() * (inputs[0].shape[1] // self.groups) * product(self.kernel)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same batch row, the channels of the group, and the space positions that the kernel covers."""
        x, y = inputs[0], outputs[0]
        if self.ids:
            positions = aligned(y, inputs[2], [(0, 0)] if inputs[2].rank > 1 else [])
            return ((aligned(y, x, [(0, 0)]), aligned(y, inputs[1], [(0, 0), (2, 1)]), positions),)
        parts = [[AxisBound(tuple(same_coordinates(y, x, [(0, 0)])))], group_bounds(x, y, self.groups)]
        parts += [self._taps(x, y, k) for k in range(len(self.kernel))]
        # Relations of many parts are expensive: the axis with the most parts gets a single bound that contains them.
        while prod(len(part) for part in parts) > _MOST_ATOMS:
            axis = max(range(len(parts)), key=lambda n: len(parts[n]))
            parts[axis] = [group_bound(x, y, self.groups) if axis == 1 else self._tap_bound(x, y, axis - 2)]
        return ((Relation(tuple(conjunction(chosen) for chosen in combinations(*parts))),),)

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """The input where an axis has factors, or where parts are bounded together; with ids every operand."""
        x, groups = inputs[0], self.groups
        apart = 1 if x.shape[1] == groups or self.channels == groups else groups
        parts = apart * prod(k if d > 1 else 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        tracked = x.axes[2:] if groups == 1 else x.axes[1:]
        exact = not self.ids and parts <= _MOST_ATOMS and all(len(axis.factors) == 1 for axis in tracked)
        return {} if exact else super().loose(inputs)

    def reaches(self, inputs: Sequence[TensorType]) -> Mapping[int, frozenset[int]]:
        """Along space the first and the last tap are read, however groups and gaps are bounded."""
        return {} if self.ids else {0: space_coordinates(inputs[0])}

    def _taps(self, x: TensorType, y: TensorType, k: int) -> list[AxisBound]:
        """The interval that the kernel covers; one part per tap if dilation leaves gaps in it."""
        if len(x.axes[2 + k].factors) > 1:
            return [AxisBound()]
        # Without gaps between the taps a single interval holds these positions and no others.
        if self.dilation[k] == 1 or self.kernel[k] == 1:
            return [self._tap_bound(x, y, k)]
        return [self._tap_bound(x, y, k, tap) for tap in range(self.kernel[k])]

    def _tap_bound(self, x: TensorType, y: TensorType, k: int, tap: int | None = None) -> AxisBound:
        """The positions that a tap covers along space axis `k`; without `tap`, those from the first to the last tap."""
        first, last = (0, self.kernel[k] - 1) if tap is None else (tap, tap)
        # `j = stride*i - padding + dilation*k`, so `stride*i - j` is `padding - dilation*k`, least at the last tap.
        low = Dim.of(self._front(k) - last * self.dilation[k])
        high = Dim.of(self._front(k) - first * self.dilation[k])
        out, inp = y.coordinates[2 + k][0], x.coordinates[2 + k][0]
        return AxisBound((Difference(out=out, inp=inp, a=self.stride[k], lo=low, hi=high),))

    def _front(self, k: int) -> int:
        """The zeros in front of spatial axis `k`."""
        return self.dilation[k] * (self.kernel[k] - 1) if self.causal else self.padding[k]

    def placed(self, count: int) -> Placement | None:
        """The entries that the kernel covers, by their positions."""
        if not self.causal:
            return super().placed(count)
        return Placement(op=replace(self, ids=True), operands=(0, PositionsOf(None, 2), PositionsOf(0, 2)))

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By channels or groups, rows, or space whose windows fill it side by side; in terms."""
        channels = Channels(groups=self.groups, bias=self.bias, weight=(0, 1)).ways(len(inputs) - 1)
        if self.ids:
            positions = {0: 0} if inputs[2].rank > 1 else {}
            return (*channels, *along([{0: 0}, {0: 0, 1: 2}, positions]))
        space = (2 + k for k in range(len(self.kernel)) if self._is_side_by_side(inputs[0].shape[2 + k], k))
        return (*channels, *along([same(0, *space)]))

    def _is_side_by_side(self, size: Dim, k: int) -> bool:
        """Whether kernels along spatial axis `k` fill it without gaps."""
        is_plain = self.dilation[k] == 1 and not self._front(k)
        return is_plain and are_side_by_side(size, self.kernel[k], self.stride[k], self.padding[k])

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Convolution:
        """With its part of the output channels, and of the groups."""
        groups = self.groups // (ranks if way.attributes else 1)
        return replace(self, channels=self.channels // parts_of(way.results[0], 1, ranks), groups=groups)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, by the kernel along space; channels are read as a whole."""
        x = operands[0]
        if self.ids:
            return super().moved(operands, inputs, outputs)
        if not isinstance(x, Moves) or x.axis < 2:
            return (together(operands, [same(0)]),)
        k = x.axis - 2
        reach = self.dilation[k] * (self.kernel[k] - 1) + 1
        size = outputs[0].shape[x.axis]
        return (windowed(x, size, reach=reach, stride=self.stride[k], padding=self._ends()[k]),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """Affine; the positions, if there are any, determine which entries the kernel covers."""
        if not self.ids:
            return (frozenset(),)
        everything = frozenset((0, 1, 2))
        return everything - {0}, everything, everything

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The sum over taps, of all groups at once."""
        import numpy as np

        x, weight = inputs[0], parameters["weight"]
        if self.ids:
            return self._apart.reference([self._covering(inputs)], parameters, sizes)
        padded = np.pad(x, [(0, 0), (0, 0), *self._ends()])
        apart = padded.reshape(len(x), self.groups, x.shape[1] // self.groups, *padded.shape[2:])
        taps = weight.reshape(self.groups, len(weight) // self.groups, *weight.shape[1:])
        summed = sum(self._products(apart, taps))
        y = np.reshape(summed, (len(x), len(weight), *np.shape(summed)[3:]))
        if self.bias:
            y = y + parameters["bias"].reshape(-1, *(1 for _ in self.kernel))
        return (y,)

    def _ends(self) -> list[tuple[int, int]]:
        """The zeros at both ends of each spatial axis."""
        return [(self._front(k), 0 if self.causal else padding) for k, padding in enumerate(self.padding)]

    def _covering(self, inputs: Sequence[Array]) -> Array:
        """The entries that the kernel covers, those of each result after those of the one before; zeros where none."""
        x, wanted, positions = inputs
        covered = wanted[:, :, None] - list(self._distances)
        return entries_at(x, positions, covered.reshape(len(wanted), -1), 2)

    @property
    def _distances(self) -> range:
        """How far before its own position each tap of the kernel is."""
        return range(self._front(0), -1, -self.dilation[0])

    @property
    def _apart(self) -> Convolution:
        """The convolution of entries that are laid out by `_covering`."""
        # Each result has entries of its own, one kernel after the other: hence the stride.
        return replace(self, causal=False, ids=False, stride=self.kernel, dilation=(1,), padding=(0,))

    def _products(self, x: Array, weight: Array) -> Iterator[Array]:
        """The contribution of each tap: `x` is [b, group, c, space ...], `weight` is [group, o, c, kernel ...]."""
        import numpy as np

        for tap in np.ndindex(*self.kernel):
            covered = tuple(self._covered(x.shape[3 + k], k, tap[k]) for k in range(len(tap)))
            part = x[:, :, :, *covered]
            added = weight[:, :, :, *tap] @ part.reshape(*part.shape[:3], -1)
            yield added.reshape(*added.shape[:3], *part.shape[3:])

    def _covered(self, padded: int, k: int, tap: int) -> slice:
        """The positions of the padded input that a tap covers, one per output position."""
        start, room = tap * self.dilation[k], padded - self.dilation[k] * (self.kernel[k] - 1)
        return slice(start, start + room, self.stride[k])

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.Conv2d`, or the class for another number of spatial axes."""
        sizes = (str(inputs[0].shape[1]), str(self.channels), size_of_each(self.kernel))
        bias = None if self.bias else "False"
        return call(f"nn.Conv{len(self.kernel)}d", *sizes, **self._options(str(self.groups)), bias=bias)

    @property
    def calls_layer(self) -> bool:
        """Not where zeros are added in front: the layer adds them at both ends."""
        return not self.causal

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.conv2d`, or the function for another number of spatial axes; zeros in front by `F.pad`."""
        function, x = f"F.conv{len(self.kernel)}d", inputs[0]
        if self.ids:
            wanted = operand(inputs[1])
            distances = f"torch.tensor({list(self._distances)}, device={wanted}.device)"
            covered = f"({wanted}[:, :, None] - {distances}).flatten(1)"
            return self._apart.emit(e, [call(e.helper(ENTRIES_AT), x, inputs[2], covered, "2")], parameters)
        if self.causal and self._front(0):
            x = call("F.pad", x, f"({self._front(0)}, 0)")
        groups = written_groups(parameters["weight"], self.channels, self.groups)
        return (call(function, x, *parameters.values(), **self._options(groups)),)

    def _options(self, groups: str) -> dict[str, str]:
        """The arguments of the layer or the function that differ from PyTorch's defaults."""
        plain = {"stride": 1, "padding": 0, "dilation": 1}
        given = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        options = {key: size_of_each(each) for key, each in given.items() if set(each) != {plain[key]}}
        return options | ({} if self.groups == 1 else {"groups": groups})
