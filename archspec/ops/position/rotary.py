"""Rotary positions: pairs of features rotated by the angle of their position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from archspec.algebra.dim import compare
from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion, Moves, Still
from archspec.ir.moving import same, together
from archspec.ir.op import Coefficients, Emitter, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Copied, Partial, Sharding
from archspec.ir.sharded import along, terms
from archspec.ir.source import call, named
from archspec.ir.types import TensorType
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

HALF = '''
def rotate_half(x: Tensor, table: Tensor) -> Tensor:
    """Rotate the pairs (i, i + d/2) of features of x [..., s, d] by a table [2, ..., s, d/2]."""
    cos, sin = table.unbind(0)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
'''
_INTERLEAVED = '''
def rotate_interleaved(x: Tensor, table: Tensor) -> Tensor:
    """Rotate the pairs (2i, 2i + 1) of features of x [..., s, d] by a table [2, ..., s, d/2]."""
    cos, sin = table.unbind(0)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack(
        (first * cos - second * sin, second * cos + first * sin), dim=-1
    ).flatten(-2)
'''


@record
class Rotary(Primitive):
    """Rotate pairs of features: `(x, y) -> (x cos - y sin, y cos + x sin)`, by a table of cosines and sines.

    Operands: x [b h s d] and the table [2 s r] or [2 b 1 s r]. The first 2r features are rotated, the others are
    unchanged. The layout `half` pairs feature i with i + r (Llama), `interleaved` pairs 2i with 2i + 1 (GPT-J and the
    paper).
    Source: Su et al. 2021, arXiv 2104.09864, equation 34.
    """

    name = "rotary"
    signature = "b h s d, 2 s r -> b h s d"
    anywhere = True
    reads_more = "a feature depends only on its own pair, and an unrotated feature does not depend on the angles"

    layout: Literal["half", "interleaved"]

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of x. Raises ShapeError if the table has other positions or too many features."""
        require(inputs, FLOAT)
        if len(inputs) != 2 or inputs[0].rank != 4 or inputs[1].rank not in (3, 5):
            raise ShapeError("needs x [b h s d] and a table [2 s r] or [2 b 1 s r]")
        x, table = inputs
        fits = [table.shape[-2] == x.shape[2], table.rank == 3 or table.shape[1] == x.shape[0]]
        if not all(fits) or compare(2 * table.shape[-1], "<=", x.shape[3]) is not True:
            raise ShapeError(f"the rotary table {table} does not fit {x}", (0, 1))
        return (x,)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position of x, all features; the angles of the position."""
        out, (x, table) = outputs[0], inputs
        pairs = [(2, 1)] if table.rank == 3 else [(0, 1), (2, 3)]
        return ((aligned(out, x, [(0, 0), (1, 1), (2, 2)]), aligned(out, table, pairs)),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By rows, heads or positions; in terms of either, where all features turn."""
        rows = {} if inputs[1].rank == 3 else {1: 0}
        turns_all = 2 * inputs[1].shape[-1] == inputs[0].shape[3]
        linear = [terms(Partial(), Copied()), *([terms(Copied(), Partial())] if turns_all else [])]
        # Pairs of neighbours stay together in parts of the features.
        features = {3: 3} if turns_all and self.layout == "interleaved" else {}
        table = {inputs[1].rank - 2: 2, **rows, **({inputs[1].rank - 1: 3} if features else {})}
        return (*along([{0: 0, 1: 1, 2: 2, **features}, table]), *linear)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With x; what moves along the positions is turned by the angles of other positions than before."""
        x, table = operands
        positions = {1: 2} if inputs[1].rank == 3 else {1: 0, 3: 2}
        if isinstance(x, Moves) and x.axis == 2 and isinstance(table, Still) and table.angles is not None:
            if table.angles.follow(x) and x.angles is None:
                return (replace(x, angles=(self.layout, table.angles)),)
            return (x.breaks("turns features by the angles of their positions"),)
        return (together(operands, [same(0, 1, 2), positions]),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The angles are the coefficients of x, and x is theirs."""
        return frozenset((1,)), frozenset((0,))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """Complex products, pair by pair."""
        import numpy as np

        x, table = inputs
        half = table.shape[-1]
        firsts = np.arange(half) if self.layout == "half" else 2 * np.arange(half)
        seconds = firsts + (half if self.layout == "half" else 1)
        # A rotation by an angle is the product with `cos + i sin`.
        turned = (x[..., firsts] + 1j * x[..., seconds]) * (table[0] + 1j * table[1])
        y = x.copy()
        y[..., firsts], y[..., seconds] = turned.real, turned.imag
        return (y,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """A call of a helper function; the features that are not rotated are appended."""
        helper = e.helper(HALF if self.layout == "half" else _INTERLEAVED)
        turned = 2 * e.types[1].shape[-1]
        if turned == e.types[0].shape[3]:
            return (call(helper, *inputs),)
        x, size = named(e, "x", inputs[0]), e.size(turned)
        return (f"torch.cat(({call(helper, f'{x}[..., :{size}]', inputs[1])}, {x}[..., {size}:]), dim=-1)",)
