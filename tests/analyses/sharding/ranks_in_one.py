"""Runs a graph as the ranks of a plan would, all in one process: the emitted code of each op on the parts of each rank.

Collectives are functions of what all ranks have, with the backward pass that each rank would see. Nothing of the search
is used: only the plan, what it converts, and the boundaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from archspec.algebra.dim import Dim
from archspec.analyses.parameters import numbered
from archspec.analyses.sharding.boundary import Boundaries, Crossing
from archspec.analyses.sharding.plan import WHOLE, Plan
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.placement import Copied, Partial, Placement, Replicate, Shard
from archspec.ir.repeat import Repeat
from tests.ops.emit_one import OneEmitter

Each = list[Tensor]
"""A value on every rank."""


class SizedEmitter(OneEmitter):
    """Sizes are those of the whole, but for one that the emitted module reads off a part."""

    def shared_size(self, dim: Dim, axis: int) -> str:
        return f"shared({self.size(dim)}, {axis})"


class Convert(torch.autograd.Function):
    """A conversion on all ranks at once: `source` and `target` placements, then the value on every rank."""

    @staticmethod
    def forward(ctx: Any, source: Placement, target: Placement, *each: Tensor) -> tuple[Tensor, ...]:
        ctx.source, ctx.target = source, target
        whole = joined(each, source)
        return tuple(part(whole, target, rank, len(each)).clone() for rank in range(len(each)))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        ranks = range(len(grads))
        if isinstance(ctx.source, Copied) and isinstance(ctx.target, Shard):
            # Each rank has its own term: zeros but for its part.
            own = [zeros_around(grads[rank], ctx.target, rank, len(grads)) for rank in ranks]
            return (None, None, *own)
        assert not isinstance(ctx.source, Copied)
        # Without a collective each rank goes on with what it has, so that a wrong plan shows.
        whole = [joined_gradient(grads, ctx.target)] * len(grads) if isinstance(ctx.target, Shard) else grads
        own = [part(whole[rank], gradient_of(ctx.source), rank, len(grads)).clone() for rank in ranks]
        return (None, None, *own)


def gradient_of(placement: Placement) -> Placement:
    """What a rank has of the gradient of a value that is placed so and not `Copied`."""
    return placement if isinstance(placement, Shard) else Replicate()


def joined(each: Sequence[Tensor], placement: Placement) -> Tensor:
    """The whole value."""
    if isinstance(placement, Shard):
        return torch.cat(list(each[:: placement.copies]), dim=placement.axis)
    return torch.stack(list(each)).sum(0) if isinstance(placement, Partial) else each[0]


def joined_gradient(each: Sequence[Tensor], placement: Placement) -> Tensor:
    """The whole gradient of a value that is placed so."""
    if isinstance(placement, Copied):
        return torch.stack(list(each)).sum(0)
    if isinstance(placement, Shard):
        sums = [sum(each[r : r + placement.copies]) for r in range(0, len(each), placement.copies)]
        return torch.cat(sums, dim=placement.axis)
    return each[0]


def part(whole: Tensor, placement: Placement, rank: int, ranks: int) -> Tensor:
    """What a rank has of a whole value."""
    if isinstance(placement, Shard):
        return whole.chunk(ranks // placement.copies, dim=placement.axis)[rank // placement.copies]
    return torch.zeros_like(whole) if isinstance(placement, Partial) and rank else whole


def zeros_around(own: Tensor, placement: Shard, rank: int, ranks: int) -> Tensor:
    """A whole value that is zero but for one part."""
    parts = [torch.zeros_like(own) for _ in range(ranks // placement.copies)]
    parts[rank // placement.copies] = own
    return torch.cat(parts, dim=placement.axis)


@dataclass
class Ranks:
    """One run; `leaves` are the stored parameters by real name and rank, made as they are asked for."""

    plan: Plan
    boundaries: Boundaries
    sizes: dict[str, int]
    parameters: Mapping[str, Tensor]
    leaves: dict[str, Each] = field(default_factory=dict)
    placed: dict[str, Placement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.conversions = {one.at: one for one in self.plan.conversions}
        self.stored = {one.parameter: one.placement for one in self.plan.parameters}

    def run(self, graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, Each]:
        """The outputs on every rank."""
        given = [[inputs[value.name]] * self.plan.ranks for value in graph.inputs]
        given = [self.converted(each, Crossing(None, "input", k)) for k, each in enumerate(given)]
        made = self.body(graph, given, ())
        named = zip(graph.output_names, made, strict=True)
        return {name: self.converted(each, Crossing(None, "output", k)) for k, (name, each) in enumerate(named)}

    def converted(self, each: Each, crossing: Crossing, layer: int | None = None) -> Each:
        """A value after the hook at a crossing, if there is one, or one of a layer alone."""
        at = self.boundaries.get(crossing)
        hook = self.conversions.get(at) if at is not None else None
        if hook is None and at is not None and layer is not None:
            own = (one for one in self.plan.conversions if one.at.layers and layer in one.at.layers[-1])
            hook = next((one for one in own if replace(one.at, layers=at.layers) == at), None)
        if hook is None:
            return each
        if not each[0].is_floating_point():
            return [part(joined(each, hook.source), hook.target, r, len(each)) for r in range(len(each))]
        if isinstance(hook.target, Copied):
            # Going to `Copied` sums gradients, whatever it comes from.
            whole = Convert.apply(hook.source, Replicate(), *each) if hook.source != Replicate() else each
            return list(Summed.apply(*whole))
        return list(Convert.apply(hook.source, hook.target, *each))

    def body(self, graph: Graph, arguments: Sequence[Each], layers: tuple[int, ...]) -> list[Each]:
        known: dict[Value, Each] = dict(zip(graph.inputs, arguments, strict=True))
        for node in graph.nodes:
            given = [known[value] for value in node.inputs]
            match node.op:
                case Call():
                    made = self.region(node, 0, given, layers)
                case Repeat() as op:
                    made = self.repeat(node, op, given, layers)
                case _:
                    made = self.primitive(node, given, layers)
            known.update(zip(node.outputs, made, strict=True))
        return [known[value] for value in graph.outputs]

    def region(
        self, node: Node, number: int, given: Sequence[Each], layers: tuple[int, ...], layer: int | None = None
    ) -> list[Each]:
        inside = [self.converted(each, Crossing(node, "input", k, number), layer) for k, each in enumerate(given)]
        made = self.body(node.regions[number], inside, layers)
        return [self.converted(each, Crossing(node, "output", k, number), layer) for k, each in enumerate(made)]

    def repeat(self, node: Node, op: Repeat, given: list[Each], layers: tuple[int, ...]) -> list[Each]:
        assert not op.scans
        carried, taken = given[0], {}
        outer = self.sizes.get("layer")
        for layer, number in enumerate(op.schedule):
            holder = op.schedule.first(number) if op.shared else layer
            self.sizes["layer"] = layer
            results = self.region(node, number, [carried, *given[1:]], (*layers, holder), holder)
            carried = results[0]
            taken.update({(layer, k): each for k, each in enumerate(results)})
        if outer is not None:
            self.sizes["layer"] = outer
        return [carried, *(taken[tap.layer, tap.output] for tap in op.taps)]

    def primitive(self, node: Node, given: Sequence[Each], layers: tuple[int, ...]) -> list[Each]:
        inside = [self.converted(each, Crossing(node, "input", k)) for k, each in enumerate(given)]
        parameters = {name: self.leaf(one, layers) for name, one in node.parameters.items()}
        made = [self.on(rank, node, inside, parameters) for rank in range(self.plan.ranks)]
        results = [list(each) for each in zip(*made, strict=True)]
        return [self.converted(each, Crossing(node, "output", k)) for k, each in enumerate(results)]

    def on(self, rank: int, node: Node, given: Sequence[Each], parameters: Mapping[str, Each]) -> tuple[Tensor, ...]:
        """The results of one op on one rank."""
        op = node.op
        assert isinstance(op, Primitive)
        own = [each[rank] for each in given]
        sharding = self.plan.nodes[node]
        outside = None
        if sharding is not WHOLE and sharding.rows is not None:
            rows = next(iter(parameters.values()))[rank].shape[0]
            ids = own[sharding.rows] - rank * rows
            outside = (ids < 0) | (ids >= rows)
            own[sharding.rows] = ids.clamp(0, rows - 1)
        made = self.emitted(node)(
            *own, *(each[rank] for each in parameters.values()), self.sizes, False, self.shared(node)
        )
        return made if outside is None else tuple(y.masked_fill(outside[..., None], 0.0) for y in made)

    def shared(self, node: Node) -> Any:
        """The size of an axis of the result on a rank."""
        cut = {p.axis: self.plan.ranks // p.copies for p in self.plan.nodes[node].results if isinstance(p, Shard)}
        return lambda size, axis: size // cut.get(axis, 1)

    def emitted(self, node: Node) -> Any:
        op = node.op
        assert isinstance(op, Primitive)
        e = SizedEmitter([x.type for x in node.inputs])
        names = [f"x{k}" for k in range(len(node.inputs))]
        parameters = {name: f"p_{name}" for name in node.parameters}
        results = op.emit(e, names, parameters)
        arguments = ", ".join([*names, *parameters.values(), "sizes", "training", "shared"])
        lines = [*e.lines, f"return ({', '.join(results)},)"]
        text = "\n\n".join([*e.helpers, f"def forward({arguments}):\n" + "".join(f"    {line}\n" for line in lines)])
        space: dict[str, Any] = {"torch": torch, "Tensor": Tensor, "F": torch.nn.functional, "nn": torch.nn}
        exec("import math\n" + text, space)
        return space["forward"]

    def leaf(self, parameter: Any, layers: tuple[int, ...]) -> Each:
        """What each rank stores of a parameter, and uses."""
        name = numbered(parameter.path, layers)
        if name not in self.leaves:
            placed, whole = self.stored[parameter], self.parameters[name]
            each = [part(whole, placed, rank, self.plan.ranks).clone() for rank in range(self.plan.ranks)]
            trained = parameter.trainable and not parameter.buffer and whole.is_floating_point()
            self.placed[name] = placed
            self.leaves[name] = [one.requires_grad_() if trained else one for one in each]
        return self.leaves[name]


class Summed(torch.autograd.Function):
    """From `Replicate` to `Copied`: nothing forward, one all-reduce backward."""

    @staticmethod
    def forward(ctx: Any, *each: Tensor) -> tuple[Tensor, ...]:
        return tuple(one.clone() for one in each)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        total = torch.stack(list(grads)).sum(0)
        return tuple(total.clone() for _ in grads)
