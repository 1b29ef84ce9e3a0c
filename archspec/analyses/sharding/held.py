"""What a rank holds and computes: weights, what the backward pass keeps, FLOPs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from archspec.algebra.dim import Dim
from archspec.analyses.cost import flops
from archspec.analyses.sharding.collectives import rank_elements
from archspec.analyses.sharding.joining import Joining
from archspec.analyses.sharding.plan import WHOLE, Plan
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.parts import part_of_type
from archspec.ir.placement import Placement, Shard
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType
from archspec.record import record

ActivationDType = Literal["float32", "bfloat16"]
ELEMENT_BYTES = {"float32": 4, "bfloat16": 2}
TRAINING_BYTES = 16
"""Bytes of a parameter in training with AdamW: in float32 4 for itself, 4 for its gradient, and 8 for two moments; with
weights and gradients in bfloat16, 4 for these, and 12 for a float32 copy and the moments."""


@record
class RankShare:
    """What one tensor rank holds and computes, beside the whole model.

    Fields:
        parameters: elements of parameters that a rank stores, and in `all_parameters` those of the model.
        flops: FLOPs of a forward pass on a rank, and in `all_flops` those of the model.
        whole_flops: FLOPs that every rank computes all of.
    """

    parameters: int
    all_parameters: int
    flops: Dim
    all_flops: Dim
    whole_flops: Dim


def rank_share(graph: Graph, plan: Plan) -> RankShare:
    """The share of one rank under a plan."""
    stored = [one for one in plan.parameters if not one.parameter.buffer]
    whole, split = Dim.of(0), Dim.of(0)
    for node, times in primitives(graph, 1):
        own = times * _flops(node)
        whole, split = (whole + own, split) if plan.nodes[node] is WHOLE else (whole, split + own)
    return RankShare(
        parameters=sum(one.group.count * one.rank_elements for one in stored),
        all_parameters=sum(one.group.count * one.group.elements for one in stored),
        # Every way of running on parts divides the work by the number of parts.
        flops=whole + sum((times * rank_flops(node, plan) for node, times in primitives(graph, 1)), Dim.of(0)),
        all_flops=flops(graph),
        whole_flops=whole,
    )


def rank_flops(node: Node, plan: Plan) -> Dim:
    """FLOPs of a split op on one rank; 0 for an op that runs whole."""
    sharding = plan.nodes[node]
    if sharding is WHOLE:
        return Dim.of(0)
    copies = {one.copies for one in sharding.results if isinstance(one, Shard)}
    return _flops(node) // (plan.ranks // max(copies, default=1))


def _flops(node: Node) -> Dim:
    assert isinstance(node.op, Primitive)
    return node.op.flops([x.type for x in node.inputs], [y.type for y in node.outputs])


def primitives(graph: Graph, times: int) -> Iterator[tuple[Node, int]]:
    """Every primitive with the number of times that it runs in a forward pass."""
    for node in graph.nodes:
        if isinstance(node.op, Primitive):
            yield node, times
        for number, region in enumerate(node.regions):
            runs = node.op.schedule.count(number) if isinstance(node.op, Repeat) else 1
            yield from primitives(region, times * runs)


@record
class KeptElements:
    """Elements of floats that a rank keeps for the backward pass.

    With layers computed again, `between` is kept, what repeated layers are given and what is in none, and `layer`, all
    of the largest one, while it runs back; else `everything`.
    """

    everything: Dim
    between: Dim
    layer: Dim


def kept_elements(graph: Graph, plan: Plan) -> KeptElements:
    """What a rank keeps for the backward pass under a plan."""
    keeping = _Keeping(plan)
    keeping.body(graph, 1, ())
    made = keeping.made
    everything = keeping.total(keeping.times.keys()) + sum((times * size for _, times, size in made), Dim.of(0))
    around = keeping.total(value for value, inside in keeping.inside.items() if not inside)
    around += sum((times * size for layer, times, size in made if not layer), Dim.of(0))
    layers = {inside for inside in keeping.inside.values() if inside}
    one_layer = [
        keeping.total(_of(keeping, layer), one=True) + sum((size for own, _, size in made if own == layer), Dim.of(0))
        for layer in layers
    ]
    carried = sum(keeping.carried, Dim.of(0))
    largest = max(one_layer, key=Dim.typical, default=Dim.of(0))
    return KeptElements(everything=everything, between=around + carried, layer=largest)


def _of(keeping: _Keeping, layer: tuple[Graph, ...]) -> list[Value]:
    return [value for value, inside in keeping.inside.items() if inside == layer]


class _Keeping:
    """The values that the backward pass reads, with how often each is made and in which layer.

    `made` is what ops keep of what they make on the way: in which layer, how often, and how much each time.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.storage = Joining()
        self.times: dict[Value, int] = {}
        self.inside: dict[Value, tuple[Graph, ...]] = {}
        self.carried: list[Dim] = []
        self.made: list[tuple[tuple[Graph, ...], int, Dim]] = []

    def body(self, graph: Graph, times: int, layer: tuple[Graph, ...]) -> None:
        """Add what the nodes of a body keep; `layer` is the body of the outermost repeat around it."""
        for node in graph.nodes:
            if isinstance(node.op, Primitive):
                self.share(node, node.op)
                self.made.append((layer, times, self.inside_of(node, node.op)))
                for value in kept(node, node.op):
                    self.times.setdefault(value, times)
                    self.inside.setdefault(value, layer)
            for number, region in enumerate(node.regions):
                for outer, inner in node.captures(region):
                    self.storage.join(outer, inner) if self.alike(outer, inner) else None
                if isinstance(node.op, Call):
                    for inner, outer in zip(region.outputs, node.outputs, strict=True):
                        self.storage.join(inner, outer) if self.alike(inner, outer) else None
                runs = times
                if isinstance(node.op, Repeat):
                    runs *= node.op.schedule.count(number)
                    self.carried += [] if layer else [runs * self.elements(region.inputs[0])]
                self.body(region, runs, layer or ((region,) if isinstance(node.op, Repeat) else ()))

    def inside_of(self, node: Node, op: Primitive) -> Dim:
        """What a rank keeps of what an op makes on the way."""
        way, types = self.plan.nodes[node], [x.type for x in node.inputs]
        if way is WHOLE:
            return op.kept_inside(types)
        own = op.on_rank(types, way, self.plan.ranks, 0)
        pairs = zip(types, way.operands, strict=True)
        return own.kept_inside([part_of_type(type_, one, self.plan.ranks) for type_, one in pairs])

    def share(self, node: Node, op: Primitive) -> None:
        """A view takes no memory of its own."""
        if op.view and self.alike(node.inputs[0], node.outputs[0]):
            self.storage.join(node.inputs[0], node.outputs[0])

    def alike(self, a: Value, b: Value) -> bool:
        """Whether two values with the same entries are held in the same number of parts."""
        return _parts(self.plan.values[a], self.plan.ranks) == _parts(self.plan.values[b], self.plan.ranks)

    def elements(self, value: Value) -> Dim:
        """The elements of a value on a rank."""
        return rank_elements(value.type, self.plan.values[value], self.plan.ranks)

    def total(self, values: Iterable[Value], *, one: bool = False) -> Dim:
        """The elements of values, each storage once; with `one`, as if each were made once."""
        found: dict[object, tuple[int, Value]] = {}
        for value in values:
            top = self.storage.top(value)
            known = found.get(top)
            if known is None or self.times[value] < known[0]:
                found[top] = (self.times[value], value)
        return sum(((1 if one else times) * self.elements(value) for times, value in found.values()), Dim.of(0))


def _parts(placement: Placement, ranks: int) -> int:
    return ranks // placement.copies if isinstance(placement, Shard) else 1


def kept(node: Node, op: Primitive) -> Iterator[Value]:
    """The float operands and results that the backward pass of an op reads."""
    inputs = [x.type for x in node.inputs]
    read = {k for row in node.reads for k, relation in enumerate(row) if relation.atoms}
    needs = op.coefficients(inputs)
    trained = any(one.trainable and not one.buffer for one in node.parameters.values())
    # Where it is not known on what a derivative depends, it may be on everything.
    wanted = read if needs is None or trained else {k for row in needs for k in row}
    yield from (node.inputs[k] for k in sorted(wanted) if inputs[k].dtype is DType.FLOAT)
    if needs is not None and any(needs) and len(node.inputs) > 2:
        # Attention is computed back from its result.
        yield from (y for y in node.outputs if y.type.dtype is DType.FLOAT)
