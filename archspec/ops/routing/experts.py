"""Parallel feed-forward layers, weighted per token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import count
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Coefficients, Emitter, ParameterSpec, Primitive, Reads, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.parts import parts_of
from archspec.ir.placement import Copied, Partial, Shard, Sharding
from archspec.ir.sharded import along
from archspec.ir.signature import bind
from archspec.ir.source import call, literal, named, operand
from archspec.ir.types import TensorType
from archspec.ops.elementwise.activation import Activation, Kind
from archspec.ops.elementwise.clamp import GateClamp
from archspec.ops.routing.chosen import CHOSEN_EXPERTS
from archspec.record import record
from archspec.relation.atoms import identity

if TYPE_CHECKING:
    from archspec.ir.op import Array


# How many tensors an activation keeps besides its result, for its backward pass.
_KEPT: Mapping[Kind | None, int] = {
    None: 0,
    "relu": 0,
    "tanh": 0,
    "sigmoid": 0,
    "gelu": 1,
    "gelu_tanh": 1,
    "silu": 1,
    "relu6": 1,
    "relu_squared": 1,
    "quick_gelu": 2,
}


@record
class Experts(Primitive):
    """`sum over experts e of w_e * down_e(act(gate_e x) * up_e x)`, or of `w_e * down_e(act(up_e x))` without gates.

    Operands: x [... d], the weights of each token's experts [... e], of which at most `top_k` a token are not zero.
    Only these `top_k` experts are computed, and FLOPs count them alone. What is exported computes every expert for
    every token, and so does what is compiled in another dtype than bfloat16. `clamp` limits what the activation gets
    and `up_e x`, and adds its offset to the latter. `every` is the number of all experts, where these are those of one
    rank: a token may then pass fewer than `top_k` of them, and rows of weight zero are not multiplied.

    Parameters: `gate`, `up` [e, hidden, d], `down` [e, d, hidden] and, with `bias`, `gate_bias`, `up_bias`
    [e, hidden], `down_bias` [e, d].
    Source: Shazeer et al. 2017, arXiv 1701.06538, equation 1.
    """

    name = "experts"
    signature = "... d, ... e -> ... d"
    anywhere = True

    top_k: int
    hidden: int
    activation: Kind | None
    gated: bool
    bias: bool = False
    dropout: float = 0.0
    clamp: GateClamp | None = None
    every: int | None = None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of x. Raises ShapeError for fewer experts than a token uses, and for a clamp without gates."""
        require(inputs, FLOAT)
        bind(self.signature, inputs)
        if self.clamp is not None and not self.gated:
            raise ShapeError("only gated experts have a clamp")
        if compare(inputs[1].shape[-1], ">=", self.top_k) is not True:
            raise ShapeError(f"cannot choose {self.top_k} experts by weights {inputs[1]}", (1,))
        return (inputs[0],)

    @property
    def draws(self) -> bool:
        """With dropout."""
        return self.dropout > 0

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
            specs[name] = ParameterSpec(type=x.with_axes(number, out, into), stacked=True, channels=2)
            if self.bias:
                specs[f"{name}_bias"] = ParameterSpec(type=x.with_axes(number, out), role="bias")
        return specs

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """`2 * tokens * top_k * d * hidden` for every map."""
        return 2 * inputs[0].elements() * self.top_k * self.hidden * len(self._maps)

    def kept_inside(self, inputs: Sequence[TensorType]) -> Dim:
        """`tokens * top_k` rows: what each map and function reads, and results and weights of the experts."""
        x = inputs[0]
        rows = x.with_axes(*x.axes[:-1]).elements() * self.top_k
        # A product with a gate reads both of its operands.
        hidden = 1 + 2 * self.gated + _KEPT[self.activation] + 2 * (self.clamp is not None) + (self.dropout > 0)
        return rows * (2 * x.shape[-1] + 1 + hidden * self.hidden)

    def exported(self, inputs: Sequence[TensorType]) -> str:
        """That all experts are computed, if a token does not pass all."""
        count = inputs[1].shape[-1]
        if count == self.top_k:
            return ""
        return f"all {count} experts are computed for every token; the module computes the {self.top_k} chosen ones"

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same token of both operands."""
        same = identity(count(inputs[0].axes[:-1]))
        return ((same, same),)

    def drawn(self, sharding: Sharding) -> Shard | None:
        """The parts of the hidden features or of the experts, or those of the tokens."""
        placed = sharding.parameters.get("up")
        return placed if isinstance(placed, Shard) else super().drawn(sharding)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By hidden features of every expert or by experts, which leaves terms, or by tokens."""
        by_hidden = {name: Shard(2 if name == "down" else 1) for name in self._maps}
        biases = {f"{name}_bias": Partial() if name == "down" else Shard(1) for name in self._maps if self.bias}
        hidden = Sharding(operands=(Copied(), Copied()), results=(Partial(),), parameters={**by_hidden, **biases})
        experts = Sharding(
            operands=(Copied(), Shard(inputs[1].rank - 1)),
            results=(Partial(),),
            parameters=dict.fromkeys(self.parameters(*inputs), Shard(0)),
        )
        tokens = same(*range(inputs[0].rank - 1))
        return (hidden, experts, *along([tokens, tokens]))

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Experts:
        """With its part of the hidden features, or its experts."""
        placed, number = way.parameters.get("up"), inputs[1].shape[-1].constant
        if parts_of(placed, 0, ranks) == 1 or number is None:
            return replace(self, hidden=self.hidden // parts_of(placed, 1, ranks))
        own = number // parts_of(placed, 0, ranks)
        return replace(self, top_k=min(self.top_k, own), every=self.every or number)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With both operands, token by token."""
        tokens = same(*range(inputs[0].rank - 1))
        return (together(operands, [tokens, tokens]),)

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients:
        """The weights are the coefficients of the experts."""
        is_affine = self.activation is None and not self.gated
        return frozenset((1,)) if is_affine else frozenset((0, 1)), frozenset((0,))

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula, expert by expert."""
        import numpy as np

        x, weights = inputs
        total = np.zeros(x.shape)
        for expert in range(weights.shape[-1]):
            # As a default, since the name would follow the loop.
            def run(name: str, h: Array, expert: int = expert) -> Array:
                y: Array = h @ parameters[name][expert].T
                return y + parameters[f"{name}_bias"][expert] if self.bias else y

            h = run("gate" if self.gated else "up", x)
            if self.clamp is not None:
                (h,) = self.clamp.gate.reference([h], {}, {})
            if self.activation is not None:
                (h,) = Activation(kind=self.activation).reference([h], {}, {})
            h = h * self._limited(run("up", x), sizes) if self.gated else h
            total = total + weights[..., expert, None] * run("down", h)
        return (total,)

    def _limited(self, up: Array, sizes: Mapping[str, int]) -> Array:
        """What a gate multiplies."""
        if self.clamp is None:
            return up
        (up,) = self.clamp.up.reference([up], {}, {})
        return up if self.clamp.offset is None else up + self.clamp.offset.evaluate(sizes)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Sends the rows of each expert through its maps, and adds up what a token's experts return."""
        x, weights = named(e, "x", inputs[0]), operand(inputs[1])
        flat = e.types[0].rank > 2
        # `ChosenExperts` takes tokens as the rows of one matrix.
        tokens = f"{x}.flatten(0, -2)" if flat else x
        weights = f"{weights}.flatten(0, -2)" if flat else inputs[1]
        # Any of the maps tells the number of experts, the dtype and the device.
        stacked = parameters["up"]
        every = str(self.every or e.types[1].shape[-1])
        chosen = call(e.helper(CHOSEN_EXPERTS), tokens, weights, str(self.top_k), stacked, every)
        experts = e.assign("experts", chosen)

        def run(name: str, rows: str) -> str:
            biases = [parameters[f"{name}_bias"]] if self.bias else []
            return call(f"{experts}.map", rows, parameters[name], *biases)

        h = e.assign("h", run("gate" if self.gated else "up", f"{experts}.rows"))
        if self.clamp is not None:
            h = e.assign("h", *self.clamp.gate.emit(e, (h,), {}))
        if self.activation is not None:
            (h,) = Activation(kind=self.activation).emit(e, (h,), {})
        if self.gated:
            h = f"{operand(h)} * {self._emit_limited(e, run('up', f'{experts}.rows'))}"
        h = call("F.dropout", h, literal(self.dropout), e.training) if self.dropout else h
        y = call(f"{experts}.sum", run("down", h if self.dropout else e.assign("h", h)))
        return (f"{y}.view_as({x})" if flat else y,)

    def _emit_limited(self, e: Emitter, up: str) -> str:
        """The source of what a gate multiplies, next to an operator."""
        if self.clamp is None:
            return up
        (up,) = self.clamp.up.emit(e, (up,), {})
        return up if self.clamp.offset is None else f"({up} + {e.number(self.clamp.offset)})"
