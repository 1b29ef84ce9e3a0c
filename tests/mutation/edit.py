"""One node of a graph computes something else: the graph around it is built again, and the spec with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Op
from archspec.ir.repeat import Repeat, Schedule
from archspec.ir.rewriter import Rewriter
from archspec.ir.verifier import verify
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.rewritten import rewritten

Step = tuple[int, int]
"""The number of a node in its body, and of the region of it that comes next."""


@record(kw_only=False)
class Layer:
    """One layer of a repeat, which is the node at that depth of the way to a site."""

    depth: int
    number: int


@record(eq=False)
class Site:
    """A node, the way to it from the top, and, where one layer alone is to change, that layer."""

    steps: tuple[Step, ...]
    number: int
    node: Node
    layer: Layer | None = None

    @property
    def place(self) -> str:
        """Where the node stands, for people: its path, its op and, of some layers, which."""
        layers = "" if self.layer is None else f", layer {self.layer.number} alone"
        return f"{self.node.path or self.node.outputs[0].name} ({self.node.op.name}{layers})"


class Edit:
    """A node that is being changed: its operands, and the nodes that are to stand in its place."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.inputs = node.inputs
        self.nodes: list[Node] = []

    def add(self, op: Op, *inputs: Value) -> Value:
        """The first output of a new node."""
        return self._added(op, inputs, {}, frozenset())[0]

    def same(
        self, op: Op | None = None, inputs: Sequence[Value] | None = None, without: frozenset[str] = frozenset()
    ) -> tuple[Value, ...]:
        """The outputs of the node again, where given by another op, with other operands, less some parameters."""
        node = self.node
        parameters = {name: one for name, one in node.parameters.items() if name not in without}
        return self._added(op or node.op, inputs or self.inputs, parameters, node.owned - without)

    def _added(
        self, op: Op, inputs: Sequence[Value], parameters: Mapping[str, Parameter], owned: frozenset[str]
    ) -> tuple[Value, ...]:
        names = [value.name for value in self.node.outputs]
        types = op.infer(*(value.type for value in inputs))
        node = Node(
            op=op,
            inputs=tuple(inputs),
            outputs=tuple(Value(names[min(k, len(names) - 1)], type_) for k, type_ in enumerate(types)),
            parameters=parameters,
            owned=owned,
            name=self.node.name,
            scope=self.node.scope,
            span=self.node.span,
        )
        self.nodes.append(node)
        return node.outputs


Change = Callable[[Edit], Sequence[Value]]
"""What stands for the outputs of a node; raises ShapeError where that is not possible."""


def changed(spec: Spec, site: Site, change: Change) -> Spec:
    """The spec whose graph computes something else at one place. Raises ShapeError or InvalidGraph where none can."""
    rebuilding = _Rebuilding(site=site, change=change)
    rewriter = rebuilding.body(spec.graph, site.steps)
    graph = rewriter.finish()
    verify(graph)
    return rewritten(spec, graph, rewriter.moved)


@record
class _Rebuilding:
    """Changes the bodies on the way to a site."""

    site: Site
    change: Change

    def body(self, graph: Graph, steps: Sequence[Step]) -> Rewriter:
        rewriter = Rewriter(graph)
        if steps:
            node = graph.nodes[steps[0][0]]
            self._around(rewriter, node, self.body(node.regions[steps[0][1]], steps[1:]).finish(), steps)
        else:
            node = graph.nodes[self.site.number]
            edit = Edit(node)
            outputs = self.change(edit)
            rewriter.replace(node, edit.nodes, outputs)
        return rewriter

    def _around(self, rewriter: Rewriter, node: Node, inner: Graph, steps: Sequence[Step]) -> None:
        regions, body = list(node.regions), steps[0][1]
        alone = self.site.layer
        if alone is None or alone.depth != len(self.site.steps) - len(steps):
            regions[body] = inner
            rewriter.change(node, regions=regions)
            return
        assert isinstance(node.op, Repeat)
        bodies = [len(regions) if layer == alone.number else one for layer, one in enumerate(node.op.schedule)]
        kinds = (*node.op.kinds, f"{node.op.kinds[body]}Changed")
        op = replace(node.op, kinds=kinds, schedule=Schedule(start=tuple(bodies)))
        rewriter.change(node, op=op, regions=[*regions, inner])


def sites(graph: Graph) -> list[Site]:
    """Every node there is; one in a body that several layers run also in one of them alone, the middle one."""
    return list(_sites(graph, (), None))


def _sites(graph: Graph, steps: tuple[Step, ...], layer: Layer | None) -> Iterator[Site]:
    for number, node in enumerate(graph.nodes):
        yield Site(steps=steps, number=number, node=node)
        if layer is not None:
            yield Site(steps=steps, number=number, node=node, layer=layer)
        for k, region in enumerate(node.regions):
            yield from _sites(region, (*steps, (number, k)), _middle(node, k, len(steps), layer))


def _middle(node: Node, body: int, depth: int, around: Layer | None) -> Layer | None:
    """The layer that may change alone; none where layers share parameters, which the first of them holds."""
    if not isinstance(node.op, Repeat):
        return around
    layers = node.op.schedule.layers(body)
    return Layer(depth, layers[len(layers) // 2]) if len(layers) > 1 and not node.op.shared else None
