"""The cost of an architecture: parameters, FLOPs, weights and activations, all counted from the graph.

There is no second formula for any of them: a block costs what the ops that it builds cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from archspec.algebra.dim import Dim
from archspec.analyses.parameters import Group, parameter_groups
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType
from archspec.record import record

BYTES = {DType.FLOAT: 4, DType.INT64: 8, DType.INT32: 4, DType.INT8: 1, DType.BOOL: 1}
"""Bytes per element; floats have the module's default precision."""


@record
class Cost:
    """Counts of a graph.

    `parameters` counts each tensor once, tied or not; `tied` counts the further uses of a parameter, in elements;
    `flops` is a formula in the dims: twice the multiply-adds of matrix products, convolutions and attention;
    `peak_activations` are formulas in bytes, the largest of which bounds the memory of inference: values that are alive
    at the same time, without views and the scores of fused attention.
    """

    parameters: int
    trainable: int
    tied: int
    flops: Dim
    weight_bytes: int
    peak_activations: tuple[Dim, ...]


# Of one graph it is asked for each comparison of a contract; graphs do not change, and are compared by identity.
@lru_cache(maxsize=8)
def cost(graph: Graph) -> Cost:
    """Count a graph; a repeated body is visited once, however often it runs.

    Returns the counts for one forward pass; floats count 4 bytes an element. Raises ValueError for a parameter that
    has no fixed size.
    """
    groups = parameter_groups(graph)
    total, trainable = _elements(groups)
    return Cost(
        parameters=total,
        trainable=trainable,
        tied=_tied(graph, 1),
        flops=flops(graph),
        weight_bytes=sum(group.count * stored_bytes(group.parameter) for group in groups),
        peak_activations=peak(graph),
    )


def parameter_counts(graph: Graph) -> tuple[int, int]:
    """How many elements the parameters of a graph have, and how many of those are trainable."""
    return _elements(parameter_groups(graph))


def _elements(groups: Iterable[Group]) -> tuple[int, int]:
    counts = [(group.count * group.elements, group.parameter.trainable) for group in groups]
    return sum(count for count, _ in counts), sum(count for count, trains in counts if trains)


def stored_bytes(parameter: Parameter) -> int:
    """The bytes of one tensor: integers take their bits, rounded up to bytes, and floats 4 bytes."""
    elements = parameter.type.elements().constant or 0
    if parameter.stored is None or parameter.scale is None:
        return elements * BYTES[DType.FLOAT]
    return -(-elements * parameter.stored.bits // 8) + stored_bytes(parameter.scale)


def _tied(graph: Graph, times: int) -> int:
    """Elements of parameters that their node does not own, times how often the node runs."""
    total = 0
    for node in graph.nodes:
        tied = (node.parameters[local] for local in node.parameters if local not in node.owned)
        total += times * sum(parameter.type.elements().constant or 0 for parameter in tied)
        total += sum(_tied(region, times * _times(node, number)) for number, region in enumerate(node.regions))
    return total


def _times(node: Node, number: int) -> int:
    """How often a region of a node runs."""
    return node.op.schedule.count(number) if isinstance(node.op, Repeat) else 1


def flops(graph: Graph) -> Dim:
    """FLOPs of one forward pass, as a formula in the dims."""
    total = Dim.of(0)
    for node in graph.nodes:
        total = total + node_flops(node)
    return total


def node_flops(node: Node) -> Dim:
    """FLOPs of one node, each region counted as often as it runs."""
    if isinstance(node.op, Primitive):
        return node.op.flops([v.type for v in node.inputs], [v.type for v in node.outputs])
    total = Dim.of(0)
    for number, region in enumerate(node.regions):
        total = total + _times(node, number) * flops(region)
    return total


def peak(graph: Graph) -> tuple[Dim, ...]:
    """Formulas of the peak bytes that values take at one time, inputs of the caller included.

    A value is alive from the node that makes it to the last node that reads it. The formulas are those that are largest
    at the typical and at the largest sizes: which of two polynomials is larger may depend on the sizes.
    """
    owner = {value: value for value in graph.inputs}
    for node in graph.nodes:
        # A view takes no memory of its own and keeps the memory of its operand in use.
        shares = isinstance(node.op, Primitive) and node.op.view
        owner.update((value, owner[node.inputs[0]] if shares else value) for value in node.outputs)
    last = {owner[value]: number for number, node in enumerate(graph.nodes) for value in node.inputs}
    # Results stay alive to the end.
    last.update((owner[value], len(graph.nodes)) for value in graph.outputs)
    sizes = {value: BYTES[value.type.dtype] * value.type.elements() for value in set(owner.values())}
    ends: dict[int, list[Value]] = {}
    for value in sizes:
        # No node has the number -1: what nothing reads is held to the end, as an unused input is.
        ends.setdefault(last.get(value, -1), []).append(value)
    held = sum((sizes[value] for value in graph.inputs), Dim.of(0))
    points = [held]
    for number, node in enumerate(graph.nodes):
        held = sum((sizes[value] for value in node.outputs if value in sizes), held)
        points.append(held)
        if node.regions:
            # Inside a region the operands and results of its node are counted by the region itself.
            own = {owner[value] for value in (*node.inputs, *node.outputs)}
            around = held - sum((sizes[value] for value in own), Dim.of(0))
            points += [around + inner for region in node.regions for inner in peak(region)]
        held = held - sum((sizes[value] for value in ends.get(number, ())), Dim.of(0))
    return _largest(points)


def _largest(points: Iterable[Dim]) -> tuple[Dim, ...]:
    """The formulas that are largest at the typical and at the largest sizes."""
    # Repeated layers give the same formulas over and over.
    distinct = list(dict.fromkeys(points))
    return tuple(dict.fromkeys((max(distinct, key=Dim.typical), max(distinct, key=Dim.maximum))))
