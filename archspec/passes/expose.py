"""Make an inner value an output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Inner, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat, Tap
from archspec.ir.rewriter import Rewriter
from archspec.passes.base import Pass
from archspec.record import record


class UnknownPath(Exception):
    """A path that names no value of the graph."""

    def __init__(self, path: str) -> None:
        super().__init__(f"no value at {path}")
        self.path = path


@record
class Expose(Pass):
    """Inner values become outputs: `outputs` maps the names of new outputs to the paths of the values.

    A value inside a module becomes an output of its call and of the other calls of that module, which share its code;
    one of a repeated layer, whose number the path gives, a tap of the layers.

    Given:  `%y = call(%x) { %y, ... = attention(%q, %k, %v); return %y }; return %y`
    Result: `%y, %w = call(%x) { %y, %w = attention(%q, %k, %v) {weights=True}; return %y, %w }; return %y, %w`

    Precondition: each path names a value (see `inner_paths`), and no output has a name of the new ones. Raises
    UnknownPath otherwise, InvalidGraph for the name.
    """

    name = "expose"

    outputs: Mapping[str, str]

    def apply(self, graph: Graph) -> Graph:
        """Expose one value after the other."""
        for name, path in self.outputs.items():
            graph, _ = expose(graph, path, name)
        return graph


def expose(graph: Graph, path: str, name: str) -> tuple[Graph, Rewriter]:
    """The graph with the value at a path as one more output, its last, and the rewriter that knows the moved values.

    Raises UnknownPath where there is no such value.
    """
    rewriter = Rewriter(graph)
    rewriter.outputs.append(_reached(rewriter, path, path))
    rewriter.output_names.append(name)
    return rewriter.finish(), rewriter


def inner_paths(graph: Graph) -> Iterator[str]:
    """The paths of all values that can be exposed, with `*` for the number of a layer."""
    yield from graph.inner
    for node in graph.nodes:
        start = node.name
        if isinstance(node.op, Repeat):
            start = f"{node.name}.*"
            yield start
        for region in node.regions:
            yield from (f"{start}.{path}" for path in inner_paths(region))


def _reached(rewriter: Rewriter, path: str, whole: str) -> Value:
    """The value at a path in a body, which is edited to have it. Raises UnknownPath with the whole path."""
    graph = rewriter.graph
    found = graph.inner.get(path)
    if found is not None:
        return _requested(rewriter, path, found) if found.port else found.value
    owners = [one for one in graph.nodes if one.regions and path.startswith(f"{one.name}.")]
    if not owners:
        raise UnknownPath(whole)
    # Names of the links of a chain have a dot: `states.1` is not inside `states`.
    node = max(owners, key=lambda one: len(one.name))
    rest = path[len(node.name) + 1 :]
    for other in graph.nodes:
        # Calls of one module are one class: all of them have its outputs.
        if other is not node and _module(other) == _module(node):
            _handed_out(rewriter, other, rest, whole)
    return _handed_out(rewriter, node, rest, whole)


def _module(node: Node) -> str | None:
    return node.op.module if isinstance(node.op, Call | Repeat) else None


def _requested(rewriter: Rewriter, path: str, found: Inner) -> Value:
    """What an op gives on request, as one more output of its node."""
    node = found.value.producer
    assert node is not None
    assert isinstance(node.op, Primitive)
    value = rewriter.change(node, op=node.op.inner()[found.port], more=(found.port,))[-1]
    rewriter.inner[path] = Inner(value=value)
    return value


def _handed_out(rewriter: Rewriter, node: Node, rest: str, whole: str) -> Value:
    """The output of a call or of repeated layers for the value at a path inside."""
    if isinstance(node.op, Repeat):
        return _tapped(rewriter, node, node.op, rest, whole)
    assert isinstance(node.op, Call)
    region, number = _returned(node.regions[0], rest, whole)
    if region is node.regions[0]:
        return node.outputs[number]
    op = replace(node.op, results=tuple(value.type for value in region.outputs))
    return rewriter.change(node, op=op, regions=(region,), more=(f"{node.name}_{rest}".replace(".", "_"),))[-1]


def _tapped(rewriter: Rewriter, node: Node, op: Repeat, rest: str, whole: str) -> Value:
    """The output of repeated layers for a value of one of them, or for what the layer passes on."""
    number, _, inner = rest.partition(".")
    if not number.isdecimal() or int(number) >= len(op.schedule):
        raise UnknownPath(whole)
    body = op.schedule[int(number)]
    region, output = _returned(node.regions[body], inner, whole) if inner else (node.regions[body], 0)
    tap = Tap(layer=int(number), output=output)
    if tap in op.taps:
        return node.outputs[1 + op.taps.index(tap)]
    regions = [region if place == body else old for place, old in enumerate(node.regions)]
    op = replace(op, taps=(*op.taps, tap), results=(*op.results, region.outputs[output].type))
    return rewriter.change(node, op=op, regions=regions, more=(f"{node.name}.{rest}".replace(".", "_"),))[-1]


def _returned(region: Graph, path: str, whole: str) -> tuple[Graph, int]:
    """A region that returns the value at a path, and the number of the output; the old one where it does already."""
    rewriter = Rewriter(region)
    value = _reached(rewriter, path, whole)
    if value in region.outputs:
        return region, region.outputs.index(value)
    rewriter.outputs.append(value)
    return rewriter.finish(), len(region.outputs)
