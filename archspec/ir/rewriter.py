"""Rewriting graphs: a body is rebuilt, and a pass substitutes values, operands and nodes while it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Op


class Rewriter:
    """A new body made from an old one: `new` maps each old value to the new one, `nodes` are the new nodes so far.

    The caller adds nodes in the order of the old body, so that every operand is mapped before it is used.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # A value belongs to one body: the new one gets values of its own, mapped from the old ones.
        self.new: dict[Value, Value] = {value: like(value) for value in graph.inputs}
        self.inputs: list[Value] = list(self.new.values())
        self.nodes: list[Node] = []

    def add_input(self, name: str, value: Value) -> Value:
        """Add an input of the type of `value` to the new body."""
        made = Value(name, value.type)
        self.inputs.append(made)
        return made

    def rename_input(self, value: Value, name: str) -> None:
        """Give the new input for an old value another name."""
        made = Value(name, value.type)
        self.inputs[self.inputs.index(self.new[value])] = made
        self.new[value] = made

    def operands(self, values: Iterable[Value]) -> tuple[Value, ...]:
        """The new values for old ones. Raises KeyError for a value that has not been mapped."""
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
        """Append a copy of `node` with new operands, and where given another op, other regions, other ownership."""
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
        # Outputs are new values: a value has one producer, and the old body must stay as it was.
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
    """A copy of a graph that shares parameters and ops with it, but no value or node."""
    under_way = Rewriter(graph)
    for node in graph.nodes:
        regions = [copy(region) for region in node.regions]
        under_way.add(node, under_way.operands(node.inputs), regions=regions)
    return under_way.finish()
