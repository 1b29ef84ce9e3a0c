"""The architecture as a tree: blocks and layers with shapes, parameters and FLOPs."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.algebra.dim import Dim
from archspec.analyses.cost import node_flops
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.masks.walk import text as mask_text
from archspec.ops.attention.attention import Attention
from archspec.record import record


@record
class TreeRow:
    """One line of the tree: name, kind, output types, total parameters and FLOPs, and the rows inside it.

    `note` explains parameters: `shared` by the layers, `reused` or `tied` if another node has counted them.
    """

    name: str
    kind: str
    gives: str
    parameters: int
    flops: Dim
    note: str = ""
    inside: tuple[TreeRow, ...] = ()


def tree(graph: Graph) -> tuple[TreeRow, ...]:
    """Rows for the nodes of a graph.

    Unnamed primitives without parameters are left out, except attention. A repeated body is one row with the counts of
    all its layers. A parameter that is used several times counts at its first use only, and buffers do not count.
    """
    return _Rows().of(graph, Times(held=1, run=1))


@record
class Times:
    """The number of enclosing layers that hold their own parameters, and the number of those that run."""

    held: int
    run: int


class _Rows:
    """Builds rows; `counted` holds the identities of the parameters that are already counted."""

    def __init__(self) -> None:
        self.counted: set[int] = set()

    def of(self, graph: Graph, times: Times) -> tuple[TreeRow, ...]:
        """The rows of all nodes of a graph."""
        return tuple(row for node in graph.nodes for row in self.rows(graph, node, times))

    def rows(self, graph: Graph, node: Node, times: Times) -> Iterator[TreeRow]:
        """The rows of a node of a graph: none for a step that is left out, one for each body of a repeat, else one."""
        if isinstance(node.op, Repeat):
            for number, region in enumerate(node.regions):
                yield self.layers(node, node.op, number, region, times)
        elif isinstance(node.op, Call):
            inside = self.of(node.regions[0], times)
            yield self.row(graph, node, node.name or node.op.kind, node.op.kind, times, inside)
        elif node.parameters or node.name or isinstance(node.op, Attention):
            yield self.row(graph, node, node.name or node.op.name, _kind(node), times, ())

    def layers(self, node: Node, op: Repeat, number: int, region: Graph, times: Times) -> TreeRow:
        """The row of all layers with the body of this number."""
        count = op.schedule.count(number)
        held = times.held * (1 if op.shared else count)
        inside = self.of(region, Times(held=held, run=times.run * count))
        parameters = sum(row.parameters for row in inside)
        return TreeRow(
            name=f"{node.name} x {count}",
            kind=op.kinds[number],
            gives=str(region.outputs[0].type),
            parameters=parameters,
            flops=times.run * count * _flops(region),
            note="shared" if op.shared and count > 1 and parameters else _reused(region, parameters),
            inside=inside,
        )

    def row(self, graph: Graph, node: Node, name: str, kind: str, times: Times, inside: tuple[TreeRow, ...]) -> TreeRow:
        """The row of a node; its own parameters are counted here unless they were counted before."""
        own = [node.parameters[local] for local in node.parameters if local in node.owned]
        # By identity: modules that are reused have the same parameter objects, and equal ones may be different.
        fresh = [one for one in own if id(one) not in self.counted and not one.buffer]
        self.counted |= {id(one) for one in own}
        parameters = times.held * sum(one.type.elements().constant or 0 for one in fresh)
        parameters += sum(row.parameters for row in inside)
        tied = "tied" if node.parameters and not own else ""
        return TreeRow(
            name=name,
            kind=kind,
            gives=", ".join(str(value.type) for value in (graph.named(node), *node.outputs[1:])),
            parameters=parameters,
            flops=times.run * node_flops(node),
            note=tied or _reused(node, parameters),
            inside=inside,
        )


def _reused(what: Graph | Node, parameters: int) -> str:
    """`reused` if a node or body owns parameters but none of them counts here, else empty."""
    nodes = what.walk() if isinstance(what, Graph) else (what, *(n for region in what.regions for n in region.walk()))
    return "reused" if not parameters and any(not n.parameters[x].buffer for n in nodes for x in n.owned) else ""


def _kind(node: Node) -> str:
    """The name of a primitive; for a masked attention with its mask, in the names of the inputs that it reads."""
    if isinstance(node.op, Attention) and node.op.mask.kernel != "full":
        names = [value.name for value in node.inputs[node.op.first :]]
        return f"{node.op.name} [{mask_text(node.op.mask, names)}]"
    return node.op.name


def _flops(graph: Graph) -> Dim:
    """The FLOPs of one run of a region, as a polynomial in the dims."""
    total = Dim.of(0)
    for node in graph.nodes:
        if isinstance(node.op, Primitive) or node.regions:
            total = total + node_flops(node)
    return total
