"""The invariants of a graph: values are defined before use, regions read only their inputs, types are as inferred.

Passes verify their graph before and after, so that an invalid graph is reported at the pass that built it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.algebra.dim import Dim
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import ShapeError
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType


class InvalidGraph(Exception):
    """A graph violates the invariants of the IR; `findings` has one line with the place and the reason of each."""

    def __init__(self, graph: Graph, findings: Sequence[str]) -> None:
        super().__init__(f"{graph.name}: " + "; ".join(findings))
        self.findings = tuple(findings)


def verify(graph: Graph) -> None:
    """Check a graph and all its regions. Raises InvalidGraph with all findings."""
    findings = list(_graph(graph))
    if len(graph.output_names) != len(graph.outputs) or len(set(graph.output_names)) != len(graph.outputs):
        findings.append(f"expected one distinct name per output, found {len(graph.output_names)} names")
    if findings:
        raise InvalidGraph(graph, findings)


def _graph(graph: Graph) -> Iterator[str]:
    known = set(graph.inputs)
    if len(known) != len(graph.inputs):
        yield f"{graph.name}: duplicate input"
    for node in graph.nodes:
        yield from (f"{_at(node)}: {finding}" for finding in _node(node, known))
        for region in node.regions:
            # A region reads only its own inputs: an outer value that is not passed as an input is a finding.
            yield from _graph(region)
        known.update(node.outputs)
    for value in graph.outputs:
        if value not in known:
            yield f"{graph.name}: output {value!r} is not defined in the graph"


def _at(node: Node) -> str:
    return f"{node.op.name} {node.path}".rstrip()


def _node(node: Node, known: set[Value]) -> Iterator[str]:
    for value in node.inputs:
        if value not in known:
            yield f"operand {value!r} is not defined before use in this region"
    for number, value in enumerate(node.outputs):
        if value.producer is not node or value.index != number:
            yield f"output {number} has a different producer"
        if value in known:
            yield f"output {number} is defined twice"
    yield from _types(node)
    yield from _regions(node)


def _types(node: Node) -> Iterator[str]:
    """Findings on the types of outputs and parameters, which are inferred again from the operands."""
    inputs = [value.type for value in node.inputs]
    try:
        # A pass that changes an op or its operands must not leave stale types.
        inferred = node.op.infer(*inputs)
        wanted = {name: spec.type for name, spec in node.op.parameters(*inputs).items()}
    except ShapeError as error:
        yield f"operands do not fit: {error}"
        return
    yield from _equal("output", [value.type for value in node.outputs], inferred)
    if set(wanted) != set(node.parameters):
        yield f"expected the parameters {sorted(wanted)}, found {sorted(node.parameters)}"
    elif any(not node.parameters[name].type.matches(type_) for name, type_ in wanted.items()):
        yield "the shape of a parameter differs from the shape that the op declares"
    if not node.owned <= set(node.parameters):
        yield "`owned` names a parameter that the node does not have"


def _equal(what: str, found: Sequence[TensorType], wanted: Sequence[TensorType]) -> Iterator[str]:
    if len(found) != len(wanted):
        yield f"expected {_counted(wanted, what)}, found {len(found)}"
        return
    for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if not one.matches(other):
            yield f"{what} {number} is {one}, expected {other}"


def _counted(items: Sequence[TensorType], what: str) -> str:
    return f"{len(items)} {what}" + "s" * (len(items) != 1)


def _regions(node: Node) -> Iterator[str]:
    """Findings on the number of regions of a node and on the types of their inputs and results."""
    for region in node.regions:
        yield from _equal("region input", [v.type for v in region.inputs], _taken(node))
    match node.op:
        case Call():
            if len(node.regions) != 1:
                yield f"expected 1 region of a call, found {len(node.regions)}"
            for region in node.regions:
                yield from _equal("result", [v.type for v in region.outputs], [v.type for v in node.outputs])
        case Repeat() as op:
            yield from _repeat(node, op)
        case _:
            if node.regions:
                yield f"expected no region of a primitive, found {len(node.regions)}"


def _stacks(node: Node, op: Repeat) -> Iterator[str]:
    """Findings on the operands and outputs of which each layer has a part."""
    counts = [op.schedule.count(number) for number in range(len(node.regions))]
    for operand, body in op.stacked.items():
        if node.inputs[operand].type.shape[:1] != (Dim.of(counts[body]),):
            yield f"operand {operand} is {node.inputs[operand].type}, and {counts[body]} layers take a part of it"
    for scan, value in zip(op.stacks, node.outputs[1 + len(op.taps) :], strict=True):
        part = node.regions[scan.body].outputs[scan.output or 0].type
        yield from _equal("stack", [value.type], [part.with_axes(counts[scan.body], *part.axes)])


def _taken(node: Node) -> list[TensorType]:
    """The types that a region takes: those of the operands, of a stack the type of a part."""
    stacked = node.op.stacked if isinstance(node.op, Repeat) else {}
    return [_part(v.type) if number in stacked else v.type for number, v in enumerate(node.inputs)]


def _part(stack: TensorType) -> TensorType:
    return TensorType(stack.dtype, stack.axes[1:], stack.bound)


def _repeat(node: Node, op: Repeat) -> Iterator[str]:
    """Findings on the regions, the schedule and the taps of repeated layers."""
    if len(node.regions) != len(op.kinds) or not node.regions:
        yield f"expected one region for each of {len(op.kinds)} kinds, found {len(node.regions)}"
        return
    if any(not 0 <= body < len(node.regions) for body in (*op.schedule.start, *op.schedule.repeat, *op.schedule.end)):
        yield "the schedule names a region that does not exist"
        return
    for region in node.regions:
        # The next layer takes the result of this one, so the types must be equal.
        yield from _equal("carried value", [region.outputs[0].type], [node.inputs[0].type])
    if len(node.outputs) != 1 + len(op.taps) + len(op.stacks):
        more = len(node.outputs) - 1 - len(op.stacks)
        yield f"expected one tap for each of {more} extra outputs, found {len(op.taps)}"
        return
    yield from _stacks(node, op)
    for tap, value in zip(op.taps, node.outputs[1:], strict=False):
        if tap.layer >= len(op.schedule) or tap.output >= len(node.regions[op.schedule[tap.layer]].outputs):
            yield f"tap of layer {tap.layer} names an output that does not exist"
        else:
            found = node.regions[op.schedule[tap.layer]].outputs[tap.output]
            yield from _equal("tap", [value.type], [found.type])
