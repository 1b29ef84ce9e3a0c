"""A graph as wires: values with no hook between them, which have one placement, and links, where a hook may stand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.analyses.sharding.boundary import Boundaries, Boundary, Crossing
from archspec.analyses.sharding.joining import Joining
from archspec.diagnostics import Span
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType
from archspec.record import record


@record(eq=False)
class WiredOp:
    """A primitive and the wires that it stands at; `times` is how often it runs in a forward pass."""

    node: Node
    op: Primitive
    operands: tuple[int, ...]
    results: tuple[int, ...]
    parameters: Mapping[str, int]
    times: int

    @property
    def wires(self) -> frozenset[int]:
        """All of its wires."""
        return frozenset((*self.operands, *self.results, *self.parameters.values()))


@record(eq=False)
class Link:
    """Two wires between which a hook may convert: values of these types go from `source` to `target`, each so often."""

    source: int
    target: int
    at: Boundary
    runs: tuple[tuple[TensorType, int], ...]
    span: Span | None


@record(eq=False)
class WiredGraph:
    """The wires of a graph.

    Fields:
        ops: every primitive, in order; a repeated body once.
        links: every place where a hook may convert.
        values: the wire of every value where it is made, in its own body.
        parameters: the wire of every parameter.
        inputs: the wires of the inputs of the graph as the caller gives them, in order.
        fixed: the wires of inputs and outputs of the graph, and of stacks over layers: they are whole.
        outputs: the wires of the outputs alone.
    """

    ops: tuple[WiredOp, ...]
    links: tuple[Link, ...]
    values: Mapping[Value, int]
    parameters: Mapping[Parameter, int]
    inputs: tuple[int, ...]
    fixed: frozenset[int]
    outputs: frozenset[int]

    def types(self) -> Iterator[tuple[int, TensorType]]:
        """Every wire of a value with its type: several where values of other factors have one wire."""
        yield from ((wire, value.type) for value, wire in self.values.items())
        for link in self.links:
            yield from ((wire, type_) for type_, _ in link.runs for wire in (link.source, link.target))
        for wired in self.ops:
            yield from ((wire, value.type) for wire, value in zip(wired.operands, wired.node.inputs, strict=True))
            yield from ((wire, value.type) for wire, value in zip(wired.results, wired.node.outputs, strict=True))


def wiring(graph: Graph, boundaries: Boundaries, *, by_layer: bool = False) -> WiredGraph:
    """The wires of a graph whose emitted module has these boundaries.

    With `by_layer`, what repeated layers hand on has a wire of its own, so that the first layer may have another hook
    on what it is given than the rest, and the last one on what it gives; else it has one placement before, between and
    after all of them.
    """
    building = _Wires(boundaries, by_layer)
    for number, value in enumerate(graph.inputs):
        building.inputs.append(building.link(("input", value), value, Crossing(None, "input", number), value, None, 1))
    building.body(graph, 1)
    for number, value in enumerate(graph.outputs):
        span = value.producer.span if value.producer else None
        crossing = Crossing(None, "output", number)
        building.outputs.append(building.link(value, ("output", number), crossing, value, span, 1, fixed=True))
    return building.done()


@dataclass
class _Wires:
    """The wires under construction; a key is a value, a parameter, or an end of a link."""

    boundaries: Boundaries
    by_layer: bool
    joining: Joining = field(default_factory=Joining)
    found: list[tuple[Node, tuple[object, ...], tuple[object, ...], int]] = field(default_factory=list)
    links: dict[Boundary, tuple[object, object, Span | None]] = field(default_factory=dict)
    runs: dict[Boundary, Counter[TensorType]] = field(default_factory=lambda: defaultdict(Counter))
    values: list[Value] = field(default_factory=list)
    fixed: list[object] = field(default_factory=list)
    inputs: list[object] = field(default_factory=list)
    outputs: list[object] = field(default_factory=list)

    def body(self, graph: Graph, times: int) -> None:
        """Add the nodes of a body that runs `times` times."""
        self.values += graph.inputs
        for node in graph.nodes:
            self.values += node.outputs
            if isinstance(node.op, Call):
                self.call(node, times)
            elif isinstance(node.op, Repeat):
                self.repeat(node, node.op, times)
            else:
                self.primitive(node, times)

    def primitive(self, node: Node, times: int) -> None:
        """Add a primitive; its operands and results are ends of links where it is called as a module."""
        ends = [
            self.link(x, ("operand", node, k), Crossing(node, "input", k), x, node.span, times, fixed=True)
            for k, x in enumerate(node.inputs)
        ]
        results = [
            self.link(("result", node, k), y, Crossing(node, "output", k), y, node.span, times)
            for k, y in enumerate(node.outputs)
        ]
        self.found.append((node, tuple(ends), tuple(results), times))

    def call(self, node: Node, times: int) -> None:
        """Add a call and its body."""
        (region,) = node.regions
        for k, (outer, inner) in enumerate(zip(node.inputs, region.inputs, strict=True)):
            self.link(outer, inner, Crossing(node, "input", k), inner, node.span, times)
        self.body(region, times)
        for k, (inner, outer) in enumerate(zip(region.outputs, node.outputs, strict=True)):
            self.link(inner, outer, Crossing(node, "output", k), inner, node.span, times)

    def repeat(self, node: Node, op: Repeat, times: int) -> None:
        """Add repeated layers."""
        # Layers that share one module cannot have hooks of their own.
        is_apart = self.by_layer and not op.shared and not op.scans and len(op.schedule) > 0
        if not is_apart:
            self.joining.join(node.inputs[0], node.outputs[0])
        # A layer takes its part of a stack, and adds its part to one: these are not followed.
        self.fixed += [node.inputs[k] for k in op.stacked]
        self.fixed += list(node.outputs[1 + len(op.taps) :])
        for number, region in enumerate(node.regions):
            runs = times * op.schedule.count(number)
            captured = 1 if is_apart else 0
            for k, (outer, inner) in enumerate(zip(node.inputs[captured:], region.inputs[captured:], strict=True)):
                self.link(outer, inner, Crossing(node, "input", captured + k, number), inner, node.span, runs)
            if is_apart:
                self.first(node, op, number, times)
            self.body(region, runs)
            if is_apart:
                self.last(node, op, number, times)
            self.results(node, op, number, runs, captured)

    def first(self, node: Node, op: Repeat, number: int, times: int) -> None:
        """Add what the layers of one body are given: by what is before the layers, or by the layer before."""
        inner, crossing = node.regions[number].inputs[0], Crossing(node, "input", 0, number)
        layers = op.schedule.layers(number)
        for layer in layers[:1] if layers[:1] == [0] else ():
            self.link(node.inputs[0], inner, crossing, inner, node.span, times, layers=(layer,))
        rest = tuple(layer for layer in layers if layer > 0)
        if rest:
            self.link(_handed(node), inner, crossing, inner, node.span, times * len(rest), layers=rest)

    def last(self, node: Node, op: Repeat, number: int, times: int) -> None:
        """Add what the layers of one body hand on: to the next layer, or to what is after the layers."""
        inner, crossing = node.regions[number].outputs[0], Crossing(node, "output", 0, number)
        layers, end = op.schedule.layers(number), len(op.schedule) - 1
        rest = tuple(layer for layer in layers if layer < end)
        if rest:
            self.link(inner, _handed(node), crossing, inner, node.span, times * len(rest), layers=rest)
        for layer in layers[-1:] if layers[-1:] == [end] else ():
            self.link(inner, node.outputs[0], crossing, inner, node.span, times, layers=(layer,))
        taps = ((out, tap.layer) for out, tap in enumerate(op.taps, 1) if tap.output == 0 and tap.layer in layers)
        for out, layer in taps:
            self.joining.join(node.outputs[0] if layer == end else _handed(node), node.outputs[out])

    def results(self, node: Node, op: Repeat, number: int, runs: int, first: int) -> None:
        """Add the outputs of one body of repeated layers, from number `first` on."""
        region = node.regions[number]
        layers = set(op.schedule.layers(number))
        for k, inner in enumerate(region.outputs[first:], first):
            taps = [out for out, tap in enumerate(op.taps) if tap.output == k and tap.layer in layers]
            outer = [node.outputs[0]] if k == 0 else [node.outputs[1 + out] for out in taps]
            end: object = outer[0] if outer else ("unused", node, number, k)
            self.joining.join(*outer) if len(outer) > 1 else None
            self.link(inner, end, Crossing(node, "output", k, number), inner, node.span, runs)
            if any(scan.body == number and scan.output == k for scan in op.scans):
                self.fixed.append(inner)

    def link(
        self,
        source: object,
        target: object,
        crossing: Crossing,
        value: Value,
        span: Span | None,
        times: int,
        *,
        fixed: bool = False,
        layers: tuple[int, ...] | None = None,
    ) -> object:
        """Connect two ends, by a link where a hook may stand; returns the end that is not a value.

        With `layers`, the hook is one of these layers alone.
        """
        own = target if fixed else source
        at = self.boundaries.get(crossing)
        if at is not None and layers is not None:
            at = at.on_layers(layers)
        if at is None:
            self.joining.join(source, target)
            return own
        if at in self.links:
            # One hook converts in one way: two calls of a module are placed alike.
            self.joining.join(self.links[at][0], source)
            self.joining.join(self.links[at][1], target)
        self.links.setdefault(at, (source, target, span))
        self.runs[at][value.type] += times
        return own

    def done(self) -> WiredGraph:
        """The wires by number."""
        wire = self.joining.number
        ops = tuple(self.ops())
        links = tuple(
            Link(source=wire(a), target=wire(b), at=at, runs=tuple(self.runs[at].items()), span=span)
            for at, (a, b, span) in self.links.items()
        )
        return WiredGraph(
            ops=ops,
            links=links,
            values={value: wire(value) for value in self.values},
            parameters={p: wire(p) for node, *_ in self.found for p in node.parameters.values()},
            inputs=self.numbers(self.inputs),
            fixed=frozenset(map(wire, (*self.fixed, *self.inputs, *self.outputs))),
            outputs=frozenset(map(wire, self.outputs)),
        )

    def ops(self) -> Iterator[WiredOp]:
        """Every primitive with its wires."""
        for node, operands, results, times in self.found:
            assert isinstance(node.op, Primitive)
            parameters = {name: self.joining.number(one) for name, one in node.parameters.items()}
            yield WiredOp(
                node=node,
                op=node.op,
                operands=self.numbers(operands),
                results=self.numbers(results),
                parameters=parameters,
                times=times,
            )

    def numbers(self, keys: Sequence[object]) -> tuple[int, ...]:
        """The wires of keys."""
        return tuple(self.joining.number(key) for key in keys)


def _handed(node: Node) -> object:
    """What repeated layers hand to the next one."""
    return ("handed", node)
