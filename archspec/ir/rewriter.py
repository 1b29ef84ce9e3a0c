"""Rewriting graphs: a body is built anew, and a pass puts other values, operands and nodes into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Op


class Rewriter:
    """A new body like an old one, under way: which new value stands for which old one, and the new nodes so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.new: dict[Value, Value] = {value: like(value) for value in graph.inputs}
        self.inputs: list[Value] = list(self.new.values())
        self.nodes: list[Node] = []

    def add_input(self, name: str, value: Value) -> Value:
        """A further input of the type of `value`."""
        made = Value(name, value.type)
        self.inputs.append(made)
        return made

    def rename_input(self, value: Value, name: str) -> None:
        """Call the new input that stands for an old one by another name."""
        made = Value(name, value.type)
        self.inputs[self.inputs.index(self.new[value])] = made
        self.new[value] = made

    def operands(self, values: Iterable[Value]) -> tuple[Value, ...]:
        """The new values that stand for old ones."""
        return tuple(self.new[value] for value in values)

    def add(
        self,
        node: Node,
        inputs: Sequence[Value],
        *,
        op: Op | None = None,
        regions: Sequence[Graph] | None = None,
        owned: frozenset[str] | None = None,
    ) -> Node:
        """Append a node like `node`, with new operands, and where given another op, other bodies, other ownership."""
        outputs = tuple(like(value) for value in node.outputs)
        made = Node(
            op=op or node.op,
            inputs=tuple(inputs),
            outputs=outputs,
            parameters=node.parameters,
            owned=node.owned if owned is None else owned,
            regions=node.regions if regions is None else tuple(regions),
            name=node.name,
            scope=node.scope,
            span=node.span,
        )
        self.new.update(zip(node.outputs, outputs, strict=True))
        self.nodes.append(made)
        return made

    def finish(self) -> Graph:
        """The new body."""
        return Graph(
            name=self.graph.name,
            inputs=tuple(self.inputs),
            nodes=tuple(self.nodes),
            outputs=self.operands(self.graph.outputs),
            output_names=self.graph.output_names,
        )


def like(value: Value) -> Value:
    """A new value of the same name and type."""
    return Value(value.name, value.type)


def copy(graph: Graph) -> Graph:
    """A copy that shares parameters and ops, and no value or node."""
    under_way = Rewriter(graph)
    for node in graph.nodes:
        regions = [copy(region) for region in node.regions]
        under_way.add(node, under_way.operands(node.inputs), regions=regions)
    return under_way.finish()
