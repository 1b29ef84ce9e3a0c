"""What a checked spec says of its nodes: types, parameters, FLOPs and verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from itertools import takewhile

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.analyses.cost import node_flops
from archspec.checking import Report
from archspec.diagnostics import Span
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.repeat import Repeat
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.rules.judge import Judge
from archspec.rules.verdict import Verdict
from archspec.spec import Rule


@record(eq=False)
class NodeCost:
    """Parameters that nodes own, how many of them no node before owns, and the FLOPs of one run."""

    parameters: int
    own: int
    flops: Dim


@record(eq=False)
class NodeFacts:
    """Answers from one report, each computed when it is asked.

    `origins` are the offsets that texts of `file` had when it was checked, where these differ.
    """

    report: Report
    file: str = ""
    origins: Mapping[int, int] = field(default_factory=dict)

    def type_of(self, path: str) -> TensorType | None:
        """The type of a value, or of a parameter, by its path; None for an unknown one."""
        value = self.report.spec.values.get(path)
        if value is not None:
            return value.type
        found = self._parameters.get(path)
        return None if found is None else found.type

    def type_at(self, place: Span) -> TensorType | None:
        """The type of the node that is written at a place, also in the body of a block: at its first call."""
        name, start = _key(place)
        node = self._by_place.get((name, self.origins.get(start, start) if name == self.file else start))
        return None if node is None else node.outputs[0].type

    def cost_of(self, name: str) -> NodeCost:
        """The cost of a node of the file, all parts of a chain and all layers counted."""
        graph = self.report.spec.graph
        nodes = [node for node in graph.nodes if node.name == name or node.name.startswith(f"{name}.")]
        flops = sum((node_flops(node) for node in nodes), Dim.of(0))
        before = set[int]()
        _owned(list(takewhile(lambda node: node not in nodes, graph.nodes)), 1, before)
        return NodeCost(parameters=_owned(nodes, 1, set()), own=_owned(nodes, 1, before), flops=flops)

    def verdicts_on(self, name: str) -> Iterator[Verdict]:
        """The verdicts on rules whose output depends on a value through this name."""
        value = self.report.spec.values.get(name)
        for verdict in self.report.verdicts if value is not None else ():
            if isinstance(verdict.rule, Rule) and self._is_between(value, verdict.rule):
                yield verdict

    def _is_between(self, value: Value | None, rule: Rule) -> bool:
        if value is None or value in (rule.output, rule.input):
            return value is not None
        relation = self._judge.dependence.relation
        return bool(relation(value, rule.input).atoms and relation(rule.output, value).atoms)

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.report.spec)

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, int], Node]:
        found: dict[tuple[str, int], Node] = {}
        _place(self.report.spec.graph, found)
        return found

    @cached_property
    def _parameters(self) -> Mapping[str, Parameter]:
        nodes = self.report.spec.graph.walk()
        return {one.path: one for node in nodes for one in node.parameters.values()}

    @property
    def inner_paths(self) -> Iterator[str]:
        """Paths of values inside stacks: those of the first layer."""
        for node in self.report.spec.graph.nodes:
            for layers in (inner for region in node.regions for inner in region.nodes if isinstance(inner.op, Repeat)):
                first = f"{node.name}.{layers.name}.0"
                yield first
                yield from dict.fromkeys(f"{first}.{name}" for region in layers.regions for name in region.inner)

    @property
    def parameter_paths(self) -> tuple[str, ...]:
        """The paths of all parameters, with `*` for the number of a layer."""
        return tuple(self._parameters)


def _place(graph: Graph, found: dict[tuple[str, int], Node]) -> None:
    """Add the nodes of a body by their places, then those inside them, where the place is another one."""
    # Several nodes of a body with one place are the steps of an expression, of which the last is the result.
    own = {_key(node.span): node for node in graph.nodes if node.span is not None}
    for key, node in own.items():
        found.setdefault(key, node)
    for node in graph.nodes:
        for region in node.regions:
            _place(region, found)


def _owned(nodes: Iterator[Node] | list[Node], times: int, seen: set[int]) -> int:
    """The elements of the parameters that nodes own, each parameter once; a repeated body has them for every layer."""
    total = 0
    for node in nodes:
        for local in node.owned:
            parameter = node.parameters[local]
            if id(parameter) not in seen and not parameter.buffer:
                seen.add(id(parameter))
                total += times * (parameter.type.elements().constant or 0)
        for number, region in enumerate(node.regions):
            total += _owned(list(region.nodes), times * _held(node, number), seen)
    return total


def _held(node: Node, number: int) -> int:
    """How many copies of its parameters a region has."""
    return node.op.schedule.count(number) if isinstance(node.op, Repeat) and not node.op.shared else 1


def _key(span: Span) -> tuple[str, int]:
    return span.source.name, span.start


def number_text(number: Scalar) -> str:
    """A number as a file could write it, or the formula of one that depends on dims."""
    dim = number.as_dim()
    if dim is not None:
        return str(dim)
    value = number.constant()
    return f"{float(value):.6g}" if value is not None else "depends on dims"
