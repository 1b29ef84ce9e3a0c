"""Where values enter and leave the modules of an emitted file: the places at which a hook may stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.analyses.sharding.boundary import Boundaries, Boundary, Crossing, Side
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.repeat import Repeat
from archspec.lower.code import ClassCode
from archspec.lower.naming import identifier
from archspec.lower.region import Lowering, lowered
from archspec.ops.linear.embedding import Embedding

Layers = tuple[tuple[int, ...], ...]
_Found = Iterator[tuple[Crossing, Boundary]]


def boundaries(graph: Graph) -> Boundaries:
    """The boundaries of the module that is emitted for a graph.

    Args:
        graph: the graph as it is emitted, with its masks as values.

    Raises:
        LoweringError: if a module cannot express the graph.
    """
    lowering, _ = lowered(graph)
    return dict(_Boundaries(lowering).model(graph))


class _Boundaries:
    """The boundaries of one lowered model; `layers` are the numbers that each `*` of a path runs over."""

    def __init__(self, lowering: Lowering) -> None:
        self.lowering = lowering

    def model(self, graph: Graph) -> _Found:
        """Those of the whole model, its inputs and outputs first."""
        for number, value in enumerate(graph.inputs):
            name = identifier(value.name)
            yield (
                Crossing(None, "input", number),
                Boundary(module="", side="input", number=number, name=name),
            )
        for number in range(len(graph.outputs)):
            yield Crossing(None, "output", number), Boundary(module="", side="output", number=number)
        yield from self.body(graph, ())

    def body(self, graph: Graph, layers: Layers) -> _Found:
        """Those of the modules that a body calls."""
        for node in graph.nodes:
            match node.op:
                case Call() as op:
                    yield from self.call(node, op, layers)
                case Repeat() as op:
                    yield from self.repeat(node, op, layers)
                case _:
                    yield from self.primitive(node, layers)

    def call(self, node: Node, op: Call, layers: Layers) -> _Found:
        """Those of a called module and of what it calls."""
        code = self.lowering.calls[node].code
        yield from _arguments(node, 0, op.module, code, layers)
        yield from _results(node, 0, op.module, range(len(node.outputs)), layers)
        yield from self.body(node.regions[0], layers)

    def repeat(self, node: Node, op: Repeat, layers: Layers) -> _Found:
        """Those of the layers of each kind, and of what these call."""
        stack = self.lowering.stacks[node]
        for kind in stack.kinds:
            region = node.regions[kind]
            inner = (*layers, op.holders(kind))
            module = f"{op.module}.*"
            yield from _arguments(node, kind, module, stack.codes[kind], inner)
            yield from _results(node, kind, module, range(stack.first, len(region.outputs)), inner)
            yield from self.body(region, inner)

    def primitive(self, node: Node, layers: Layers) -> _Found:
        """Those of an op that is called as a module of its own, or that looks rows up in a table."""
        module = self.lowering.layers.get(node)
        if module is not None:
            for number in range(len(node.inputs)):
                yield _at(node, 0, "input", number, module, number, "", layers)
            yield from _results(node, 0, module, range(len(node.outputs)), layers)
        elif isinstance(node.op, Embedding):
            module, _, name = node.parameters["table"].path.rpartition(".")
            yield _at(node, 0, "lookup", 0, module, 0, name, layers)


def _arguments(node: Node, region: int, module: str, code: ClassCode, layers: Layers) -> _Found:
    """The arguments of a method: the inputs that it reads, in order."""
    for number, operand in enumerate(code.inputs):
        name = identifier(code.variables[code.arguments[number]].hint or "x")
        yield _at(node, region, "input", operand, module, number, name, layers)


def _results(node: Node, region: int, module: str, outputs: Sequence[int], layers: Layers) -> _Found:
    for number, output in enumerate(outputs):
        yield _at(node, region, "output", output, module, number, "", layers)


def _at(
    node: Node, region: int, side: Side, of_node: int, module: str, number: int, name: str, layers: Layers
) -> tuple[Crossing, Boundary]:
    crossing = Crossing(node, "output" if side == "lookup" else side, of_node, region)
    return crossing, Boundary(module=module, side=side, number=number, name=name, layers=layers)
