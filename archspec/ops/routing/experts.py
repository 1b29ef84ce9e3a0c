"""Parallel feed-forward layers, weighted per token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.coordinates import count
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads
from archspec.ir.operands import FLOAT, require
from archspec.ir.signature import bind
from archspec.ir.source import call, literal, named, operand
from archspec.ir.types import TensorType
from archspec.ops.elementwise.activation import Activation, Kind
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record
class Experts(Primitive):
    """`sum over experts e of w_e * down_e(act(gate_e x) * up_e x)`, or of `w_e * down_e(act(up_e x))` without gates.

    Operands: x [... d] and the weights of each token's experts [... e], zero for experts that are not chosen. Every
    expert is computed for every token, and FLOPs count all of them: no shape depends on data.

    Parameters: `gate`, `up` [e, hidden, d], `down` [e, d, hidden] and, with `bias`, `gate_bias`, `up_bias`
    [e, hidden], `down_bias` [e, d].
    Source: Shazeer et al. 2017, arXiv 1701.06538, equation 1.
    """

    name = "experts"
    signature = "... d, ... e -> ... d"

    hidden: int
    activation: Kind | None
    gated: bool
    bias: bool = False
    dropout: float = 0.0

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of x."""
        require(inputs, FLOAT)
        bind(self.signature, inputs)
        return (inputs[0],)

    @property
    def _maps(self) -> tuple[str, ...]:
        """The names of the maps of each expert."""
        return ("gate", "up", "down") if self.gated else ("up", "down")

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The maps of all experts, stacked on axis 0."""
        x, width, number, hidden = inputs[0], inputs[0].shape[-1], inputs[1].shape[-1], Dim.of(self.hidden)
        specs = {}
        for name in self._maps:
            out, into = (width, hidden) if name == "down" else (hidden, width)
            specs[name] = ParameterSpec(type=x.with_axes(number, out, into), stacked=True)
            if self.bias:
                specs[f"{name}_bias"] = ParameterSpec(type=x.with_axes(number, out), role="bias")
        return specs

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * tokens * e * d * hidden` for every map: experts that a token does not use are counted too."""
        return 2 * inputs[0].elements() * inputs[1].shape[-1] * self.hidden * len(self._maps)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same token of both operands."""
        same = identity(count(inputs[0].axes[:-1]))
        return ((same, same),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula, expert by expert."""
        import numpy as np

        x, weights = inputs
        total = np.zeros(x.shape)
        for expert in range(weights.shape[-1]):

            def run(name: str, h: Array, expert: int = expert) -> Array:
                y: Array = h @ parameters[name][expert].T
                return y + parameters[f"{name}_bias"][expert] if self.bias else y

            h = run("gate" if self.gated else "up", x)
            if self.activation is not None:
                (h,) = Activation(kind=self.activation).reference([h], {}, {})
            h = h * run("up", x) if self.gated else h
            total = total + weights[..., expert, None] * run("down", h)
        return (total,)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Products with the stacked maps, batched over the experts."""
        x, weights = named(e, "x", inputs[0]), operand(inputs[1])
        # With tokens on one axis, a product with the stacked maps [e, out, in] is batched over the experts.
        flat = e.types[0].rank > 2
        tokens = e.assign("tokens", f"{x}.flatten(0, -2)") if flat else x
        weights = f"{weights}.flatten(0, -2)" if flat else weights

        def run(name: str, h: str) -> str:
            bias = f" + {parameters[f'{name}_bias']}[:, None]" if self.bias else ""
            return f"{h} @ {operand(parameters[name])}.mT{bias}"

        h = e.assign("h", run("gate" if self.gated else "up", tokens))
        if self.activation is not None:
            (h,) = Activation(kind=self.activation).emit(e, (h,), {})
        if self.gated:
            h = f"{operand(h)} * ({run('up', tokens)})"
        h = e.assign("h", call("F.dropout", h, literal(self.dropout), e.training) if self.dropout else h)
        y = e.assign("y", f"({run('down', h)}) * {weights}.mT[..., None]")
        return (f"{y}.sum(0).view_as({x})" if flat else f"{y}.sum(0)",)
