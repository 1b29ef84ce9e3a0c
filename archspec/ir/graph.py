"""The graph IR: values, parameters, nodes with regions, graphs.

Objects are compared by identity and are not changed once built; a pass builds new ones.
A node may own regions: `call` owns the body of a module, `repeat` one body for each kind of layer.
A region sees only its own inputs: what it needs from outside is captured, that is, passed as an operand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from archspec.diagnostics import Span
from archspec.ir.init import Init
from archspec.ir.op import Op
from archspec.ir.types import TensorType
from archspec.record import record


class Value:
    """A typed value: an input of a graph, or an output of one node."""

    __slots__ = ("index", "name", "producer", "type")

    def __init__(self, name: str, type: TensorType) -> None:
        self.name = name
        self.type = type
        self.producer: Node | None = None
        self.index = 0

    def __repr__(self) -> str:
        return f"%{self.name}: {self.type}"


@record(eq=False)
class Parameter:
    """A learned tensor. In a repeated body `path` holds `*` for the layer's index and stands for one tensor a layer.

    `shared` says that every repeat of the body uses one set: the tensor is held by the first layer of its kind.
    """

    path: str
    type: TensorType
    init: Init
    trainable: bool = True
    span: Span | None = None
    buffer: bool = False


@record(eq=False)
class Node:
    """One operation. `scope` is the path of the module that holds it, `name` its own name there ("" if none).

    `parameters` maps the op's own names (`weight`) to parameters; a tied one is owned by another node.
    """

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()
    regions: tuple[Graph, ...] = ()
    name: str = ""
    scope: str = ""
    span: Span | None = None

    def __post_init__(self) -> None:
        for index, value in enumerate(self.outputs):
            value.producer, value.index = self, index

    @property
    def path(self) -> str:
        """Full path of the node, for people."""
        return ".".join(part for part in (self.scope, self.name) if part)


@record(eq=False)
class Graph:
    """Inputs, nodes in an order in which each value is made before it is used, and outputs with their names."""

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Every node, those inside regions after their owner; a repeated body is walked once."""
        for node in self.nodes:
            yield node
            for region in node.regions:
                yield from region.walk()
