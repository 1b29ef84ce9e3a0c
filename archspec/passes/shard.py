"""The graph of one rank: a graph and a plan give what the rank computes, with every exchange as a node.

Given:  `%y = linear(%x) {out=8}; %z = linear(%y) {out=4}; return %z`, where a plan splits the 8 features over 2 ranks
Result: `%y = linear(%x) {out=4}; %t = linear(%y) {out=4}; %z = all_reduce(%t) {ranks=2}; return %z`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from archspec.analyses.sharding.boundary import Boundaries, Boundary, Crossing
from archspec.analyses.sharding.plan import WHOLE, Conversion, Plan, is_whole
from archspec.diagnostics import Span, fail
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Primitive, ShapeError
from archspec.ir.parts import part_number, part_of_type, parts_of
from archspec.ir.placement import Partial, Placement, Shard
from archspec.ir.rank_exchange import AllGather, AllReduce
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType
from archspec.ir.verifier import verify
from archspec.ops.shape.slice import Slice


def shard(graph: Graph, plan: Plan, boundaries: Boundaries, rank: int) -> Graph:
    """What one tensor rank computes.

    Types and parameters are those of the rank's parts. Inputs and outputs are whole, with the names of the graph; so
    are the paths of parameters. Inner values have no names. All ranks have the same nodes in the same order.

    Args:
        graph: the graph as it is emitted.
        plan: its plan, without parts of the length.
        boundaries: where hooks may stand on the emitted module, as the plan was made with.
        rank: the number of the rank.

    Raises:
        SpecError: E921 for an op or an exchange that a rank cannot run.
    """
    assert not plan.stacks
    made = _RankBodies(plan=plan, boundaries=boundaries, rank=rank).whole(graph)
    verify(made)
    return made


@dataclass
class _Body:
    """One body of a rank under construction; `now` has the rank's values for those of the whole."""

    scope: str
    nodes: list[Node] = field(default_factory=list)
    now: dict[Value, Value] = field(default_factory=dict)

    def add(self, op: Primitive, x: Value, name: str, span: Span | None) -> Value:
        """Add an op of one operand; returns its result."""
        (type_,) = op.infer(x.type)
        made = Value(name, type_)
        self.nodes.append(Node(op=op, inputs=(x,), outputs=(made,), scope=self.scope, span=span))
        return made


@dataclass
class _RankBodies:
    """Builds the bodies of one rank; `parameters` are those made so far, so that ties stay."""

    plan: Plan
    boundaries: Boundaries
    rank: int
    parameters: dict[Parameter, Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.conversions: dict[Boundary, Conversion] = {one.at: one for one in self.plan.conversions}
        self.stored = {one.parameter: one.placement for one in self.plan.parameters}

    def whole(self, graph: Graph) -> Graph:
        """The outermost body, which takes and gives whole values."""
        body, inputs = _Body(scope=""), [Value(value.name, value.type) for value in graph.inputs]
        for number, (value, given) in enumerate(zip(graph.inputs, inputs, strict=True)):
            body.now[value] = self.converted(body, given, Crossing(None, "input", number), value.name, None)
        self.fill(body, graph)
        outputs = []
        for number, (name, value) in enumerate(zip(graph.output_names, graph.outputs, strict=True)):
            span = value.producer.span if value.producer else None
            outputs.append(self.converted(body, body.now[value], Crossing(None, "output", number), name, span))
        return Graph(
            name=graph.name,
            inputs=tuple(inputs),
            nodes=tuple(body.nodes),
            outputs=tuple(outputs),
            output_names=graph.output_names,
        )

    def fill(self, body: _Body, graph: Graph) -> None:
        """Add the nodes of a body."""
        for node in graph.nodes:
            made = self.primitive(body, node, node.op) if isinstance(node.op, Primitive) else self.owner(body, node)
            body.now.update(zip(node.outputs, made, strict=True))

    def owner(self, body: _Body, node: Node) -> Sequence[Value]:
        """Add a call or a repeat, whose regions convert what goes in and out of them."""
        regions = tuple(self.region(node, number, region) for number, region in enumerate(node.regions))
        results = tuple(Value(value.name, self.local(value)) for value in node.outputs)
        assert isinstance(node.op, Call | Repeat)
        made = replace(
            node,
            op=replace(node.op, results=tuple(value.type for value in results)),
            inputs=tuple(body.now[value] for value in node.inputs),
            outputs=results,
            regions=regions,
        )
        body.nodes.append(made)
        return results

    def region(self, node: Node, number: int, region: Graph) -> Graph:
        """The body of a call, or of one kind of layers."""
        body, inputs = _Body(scope=_scope(node)), list[Value]()
        stacked = node.op.stacked if isinstance(node.op, Repeat) else {}
        for k, (outer, inner) in enumerate(zip(node.inputs, region.inputs, strict=True)):
            # A stack over layers is whole, and so is a layer's part of it.
            type_ = inner.type if k in stacked else part_of_type(inner.type, self.plan.values[outer], self.plan.ranks)
            inputs.append(Value(inner.name, type_))
            crossing = Crossing(node, "input", k, number)
            body.now[inner] = self.converted(body, inputs[k], crossing, inner.name, node.span)
        self.fill(body, region)
        outputs = [
            self.converted(body, body.now[value], Crossing(node, "output", k, number), value.name, node.span)
            for k, value in enumerate(region.outputs)
        ]
        return Graph(name=region.name, inputs=tuple(inputs), nodes=tuple(body.nodes), outputs=tuple(outputs))

    def primitive(self, body: _Body, node: Node, op: Primitive) -> Sequence[Value]:
        """Add a primitive that runs on the rank's parts."""
        inputs = [
            self.converted(body, body.now[value], Crossing(node, "input", k), value.name, node.span)
            for k, value in enumerate(node.inputs)
        ]
        way = self.plan.nodes[node]
        own = op if way is WHOLE else op.on_rank([x.type for x in node.inputs], way, self.plan.ranks, self.rank)
        wanted = [y.type for y in node.outputs]
        if way is not WHOLE:
            pairs = zip(wanted, way.results, strict=True)
            wanted = [part_of_type(type_, one, self.plan.ranks) for type_, one in pairs]
        parameters = {name: self.parameter(one) for name, one in node.parameters.items()}
        self.check(node, own, [x.type for x in inputs], wanted, parameters)
        outputs = tuple(Value(value.name, type_) for value, type_ in zip(node.outputs, wanted, strict=True))
        body.nodes.append(replace(node, op=own, inputs=tuple(inputs), outputs=outputs, parameters=parameters))
        return [
            self.converted(body, value, Crossing(node, "output", k), value.name, node.span)
            for k, value in enumerate(outputs)
        ]

    def check(
        self,
        node: Node,
        op: Primitive,
        inputs: Sequence[TensorType],
        wanted: Sequence[TensorType],
        parameters: dict[str, Parameter],
    ) -> None:
        """Check that an op infers its parts. Raises SpecError E921."""
        try:
            found, specs = op.infer(*inputs), op.parameters(*inputs)
        except ShapeError as error:
            self.refuse(node, error.message)
        for one, other in zip(found, wanted, strict=True):
            if not one.matches(other):
                self.refuse(node, f"it gives {one} of parts, expected {other}")
        for name, parameter in parameters.items():
            if not specs[name].type.matches(parameter.type):
                self.refuse(node, f"its `{name}` is {specs[name].type} of parts, expected {parameter.type}")

    def refuse(self, node: Node, reason: str) -> None:
        """Raise E921."""
        where = f"`{node.path}` ({node.op.name})" if node.path else f"`{node.op.name}`"
        message = f"{where} cannot be written for one of {self.plan.ranks} tensor ranks"
        fail("E921", message, node.span, notes=[reason], help="give another number of ranks, or build without ranks")

    def parameter(self, one: Parameter) -> Parameter:
        """A rank's part of a parameter."""
        if one not in self.parameters:
            type_ = part_of_type(one.type, self.stored[one], self.plan.ranks)
            self.parameters[one] = replace(one, type=type_)
        return self.parameters[one]

    def local(self, value: Value) -> TensorType:
        """The type of what a rank holds of a value where it is made."""
        return part_of_type(value.type, self.plan.values[value], self.plan.ranks)

    def converted(self, body: _Body, value: Value, crossing: Crossing, name: str, span: Span | None) -> Value:
        """A value after the conversion at a crossing, if there is one."""
        at = self.boundaries.get(crossing)
        hook = self.conversions.get(at) if at is not None else None
        if hook is None:
            return value
        for op in self.ops(hook, value.type, hook.span or span):
            value = body.add(op, value, name, hook.span or span)
        return value

    def ops(self, hook: Conversion, type_: TensorType, span: Span | None) -> Iterator[Primitive]:
        """The ops that convert: an exchange, or a cut without one. Raises SpecError E921."""
        source, target, ranks = hook.source, hook.target, self.plan.ranks
        if is_whole(source) and isinstance(target, Shard):
            yield self.part(type_, target)
        elif isinstance(source, Partial) and is_whole(target):
            yield AllReduce(ranks=ranks)
        elif isinstance(source, Shard) and source.copies == 1 and is_whole(target):
            yield AllGather(ranks=ranks, axis=source.axis)
        elif not (is_whole(source) and is_whole(target)):
            message = f"`{hook.at.module}` exchanges {_said(source)} for {_said(target)}"
            fail("E921", f"{message}, which has no form for one rank", span, help="give another number of ranks")

    def part(self, type_: TensorType, target: Shard) -> Slice:
        """The cut of a rank's part of a whole value."""
        size = type_.shape[target.axis] // parts_of(target, target.axis, self.plan.ranks)
        start = part_number(target, self.rank) * size
        return Slice(axis=target.axis, start=start, stop=start + size)


def _scope(node: Node) -> str:
    """The path of the module whose body a region is."""
    return f"{node.path}.*" if isinstance(node.op, Repeat) else node.path


def _said(placement: Placement) -> str:
    """A placement in words."""
    match placement:
        case Shard(axis=axis, copies=1):
            return f"parts of axis {axis}"
        case Shard(axis=axis, copies=copies):
            return f"parts of axis {axis} that {copies} ranks share"
        case Partial():
            return "terms of a sum"
        case _:
            return "whole values"
