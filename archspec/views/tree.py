"""The architecture as a tree: blocks and layers with shapes, parameters and FLOPs."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.algebra.dim import Dim
from archspec.analyses.cost import node_flops
from archspec.analyses.parameters import parameter_groups
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.masks.text import text as mask_text
from archspec.ops.attention.attention import Attention
from archspec.record import record


@record
class TreeRow:
    """One line of the tree: what it is, the types it gives, its parameters and FLOPs in all, and what is inside."""

    name: str
    kind: str
    gives: str
    parameters: int
    flops: Dim
    inside: tuple[TreeRow, ...] = ()


def tree(graph: Graph) -> tuple[TreeRow, ...]:
    """Rows for the nodes of a graph; small steps without parameters of their own are left out, attention stays.

    A repeated body is one row, whose counts are those of all its layers.
    """
    return tuple(row for node in graph.nodes for row in _rows(node, 1))


def _rows(node: Node, times: int) -> Iterator[TreeRow]:
    if isinstance(node.op, Repeat):
        for number, region in enumerate(node.regions):
            yield _layers(node, node.op, number, region, times)
    elif isinstance(node.op, Call):
        yield _row(node, node.name or node.op.kind, node.op.kind, times, _inside(node.regions[0], times))
    elif node.parameters or node.name or isinstance(node.op, Attention):
        yield _row(node, node.name or node.op.name, _kind(node), times, ())


def _inside(graph: Graph, times: int) -> tuple[TreeRow, ...]:
    return tuple(row for node in graph.nodes for row in _rows(node, times))


def _layers(node: Node, op: Repeat, number: int, region: Graph, times: int) -> TreeRow:
    count = op.schedule.count(number)
    inside = _inside(region, times * count)
    held = 1 if op.shared else count
    return TreeRow(
        name=f"{node.name} x {count}",
        kind=op.kinds[number] + (" (shared)" if op.shared else ""),
        gives=str(region.outputs[0].type),
        parameters=times * held * _parameters(region),
        flops=times * count * _flops(region),
        inside=inside,
    )


def _row(node: Node, name: str, kind: str, times: int, inside: tuple[TreeRow, ...]) -> TreeRow:
    owned = sum(node.parameters[local].type.elements().constant or 0 for local in node.owned)
    owned += sum(_parameters(region) for region in node.regions)
    gives = ", ".join(str(value.type) for value in node.outputs)
    return TreeRow(
        name=name, kind=kind, gives=gives, parameters=times * owned, flops=times * node_flops(node), inside=inside
    )


def _kind(node: Node) -> str:
    if isinstance(node.op, Attention) and node.op.mask.kernel != "full":
        names = [value.name for value in node.inputs[node.op.first :]]
        return f"{node.op.name} [{mask_text(node.op.mask, names)}]"
    return node.op.name


def _parameters(graph: Graph) -> int:
    return sum(group.count * group.elements for group in parameter_groups(graph))


def _flops(graph: Graph) -> Dim:
    total = Dim.of(0)
    for node in graph.nodes:
        if isinstance(node.op, Primitive) or node.regions:
            total = total + node_flops(node)
    return total
