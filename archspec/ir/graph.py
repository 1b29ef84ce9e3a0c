"""The graph IR: values, parameters, nodes with regions, graphs.

Objects are compared by identity and are not changed once built; a pass builds new ones. A node may own regions: `call`
owns the body of a module, `repeat` one body for each kind of layer. A region sees only its own inputs: a value needed
from outside is captured, that is, passed as an operand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property

from archspec.diagnostics import Span
from archspec.ir.init import Init
from archspec.ir.op import Op, Primitive, Reads
from archspec.ir.storage import SCALE, Storage
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import Relation
from archspec.relation.union import in_normal_form


class Value:
    """A typed value: an input of a graph, or output `index` of the node `producer`."""

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
    """A learned tensor, or with `buffer` a statistic that is stored but not trained.

    In a repeated body `path` contains `*` for the index of the layer and denotes one tensor for each layer. `type` is
    what ops read; with `stored` it is computed from integers under `path` and from `scale`. What is `calibrated` is
    measured on inputs, so that no checkpoint has it.
    """

    path: str
    type: TensorType
    init: Init
    trainable: bool = True
    span: Span | None = None
    buffer: bool = False
    stored: Storage | None = None
    calibrated: bool = False

    @cached_property
    def scale(self) -> Parameter | None:
        """The scales of a parameter that is stored as integers; None of any other."""
        if self.stored is None:
            return None
        sizes = [size.constant for size in self.type.shape]
        shape = self.stored.scales(tuple(size for size in sizes if size is not None))
        one = Init(kind="constant", value=1.0)
        return Parameter(
            path=f"{self.path}{SCALE}",
            type=self.type.with_axes(*shape),
            init=one,
            trainable=False,
            span=self.span,
            buffer=True,
        )


@record(eq=False)
class Node:
    """One operation. `scope` is the path of the module that contains it, `name` its own name there ("" if none).

    `parameters` maps the op's own names (`weight`) to parameters. `owned` are the names of those that this node
    declares; the others are tied, and another node owns them. `span` is the location in the spec.
    """

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()
    # One region for a call, one for each kind of layer for a repeat, none for a primitive.
    regions: tuple[Graph, ...] = ()
    name: str = ""
    scope: str = ""
    span: Span | None = None

    def __post_init__(self) -> None:
        # A value is made before its node, so the back reference is set here; nothing changes it later.
        for index, value in enumerate(self.outputs):
            value.producer, value.index = self, index

    @property
    def path(self) -> str:
        """Full path of the node, for display."""
        return ".".join(part for part in (self.scope, self.name) if part)

    @cached_property
    def reads(self) -> Reads:
        """What a primitive reads, as its op declares it: `reads[output][operand]`."""
        assert isinstance(self.op, Primitive)
        return self.op.reads([x.type for x in self.inputs], [y.type for y in self.outputs])

    def reading(self, output: int, operand: int) -> Relation:
        """What an output of a primitive reads of an operand, in normal form."""
        # The prover and the step need the same relations, and normalising them is much of the cost of either.
        key = (output, operand)
        if key not in self._readings:
            spaces = self.outputs[output].type.space, self.inputs[operand].type.space
            self._readings[key] = in_normal_form(self.reads[output][operand], *spaces)
        return self._readings[key]

    @cached_property
    def _readings(self) -> dict[tuple[int, int], Relation]:
        return {}

    def captures(self, region: Graph) -> Iterator[tuple[Value, Value]]:
        """Each operand with the input of a region that is the same value inside it.

        What repeated layers carry is left out: it starts as an operand, but is another value in every layer. So is what
        they take a part of.
        """
        pairs = enumerate(zip(self.inputs, region.inputs, strict=True))
        return (pair for number, pair in pairs if self.captures_operand(number))

    def captures_operand(self, number: int) -> bool:
        """Whether an operand is the same value inside the regions."""
        return bool(self.regions) and number >= self.op.carried and number not in self.op.stacked


@record(eq=False)
class Use:
    """One use of a value: operand `number` of `node`, or output `number` of the body where `node` is None."""

    node: Node | None
    number: int


@record(eq=False)
class Inner:
    """A value of a body that a path may name.

    With `port` it is not computed: it is what the op that makes `value` gives under that name on request (see
    `Primitive.inner`).
    """

    value: Value
    port: str = ""


@record(eq=False)
class Graph:
    """A body: inputs, nodes, outputs and their names.

    Nodes are in topological order: each value is made before it is used. Only the outermost graph names its outputs.
    `inner` are the values that paths name, relative to the body; those inside a region are found in the region.
    """

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...] = ()
    inner: Mapping[str, Inner] = field(default_factory=dict)

    def named(self, node: Node) -> Value:
        """The value that the name of a node of this body stands for.

        It is the first output, unless more is done to it before a path may name it: a norm along another axis than the
        last turns its result back.
        """
        found = self.inner.get(node.name)
        return node.outputs[0] if found is None or found.port else found.value

    def uses(self, value: Value) -> tuple[Use, ...]:
        """The uses of a value in this body: operands in the order of the nodes, then outputs.

        A value that a region captures is an operand of the node that owns the region. See `uses_inside`.
        """
        return self._uses.get(value, ())

    def uses_inside(self, value: Value) -> Iterator[Use]:
        """The uses of a value in this body, with those in the regions that capture it in place of the capture.

        What repeated layers carry is not followed: inside, it is the value only in the first layer.
        """
        for use in self.uses(value):
            if use.node is None or not use.node.captures_operand(use.number):
                yield use
            else:
                for region in use.node.regions:
                    yield from region.uses_inside(region.inputs[use.number])

    @cached_property
    def _uses(self) -> Mapping[Value, tuple[Use, ...]]:
        found: dict[Value, list[Use]] = {}
        for node in (*self.nodes, None):
            for number, value in enumerate(self.outputs if node is None else node.inputs):
                found.setdefault(value, []).append(Use(node=node, number=number))
        return {value: tuple(uses) for value, uses in found.items()}

    def walk(self) -> Iterator[Node]:
        """Every node, followed by the nodes inside its regions; a repeated body is walked once."""
        for node in self.nodes:
            yield node
            for region in node.regions:
                yield from region.walk()
