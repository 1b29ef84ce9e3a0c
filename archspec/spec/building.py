"""The nodes of one graph, built in an order in which each comes after those that it uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from archspec.diagnostics import Collector, Span, did_you_mean
from archspec.record import record
from archspec.spec.build import build_part
from archspec.spec.constants import report_circles
from archspec.spec.context import Surroundings
from archspec.spec.nodes import GraphNode
from archspec.spec.order import ordered


@record
class NodeNames:
    """What the nodes of a graph may name.

    `places` are the spans of all names, `values` those among them that are values, and `failed` the names with an
    error of their own, which grows by the nodes that cannot be built.
    """

    places: Mapping[str, Span]
    values: Collection[str]
    failed: set[str]


def build_nodes(nodes: Iterable[GraphNode], around: Surroundings, names: NodeNames) -> None:
    """Build all nodes that can be built. Errors are collected; one in a node does not hide those of the others."""
    for node in checked(nodes, names, around.findings):
        _build(node, around, names.failed)


def checked(nodes: Iterable[GraphNode], names: NodeNames, findings: Collector) -> Iterator[GraphNode]:
    """The nodes in order, without those that stand in a circle, name nothing known, or use a node that failed."""
    by_name = {node.name: node for node in nodes}
    order = ordered({name: tuple(node.uses()) for name, node in by_name.items()})
    report_circles(order.circles, names.places, "nodes", findings)
    names.failed.update(name for circle in order.circles for name in circle)
    for node in (by_name[name] for name in order.names):
        if _names_unknown(node, names, findings) or any(name in names.failed for name in node.uses()):
            names.failed.add(node.name)
        else:
            yield node


def _build(node: GraphNode, around: Surroundings, failed: set[str]) -> None:
    for part in node.parts:
        before = len(around.values.names)
        with around.findings.catching():
            build_part(part, around)
        if len(around.values.names) == before:
            failed.add(node.name)
            return


def _names_unknown(node: GraphNode, names: NodeNames, findings: Collector) -> bool:
    unknown = [path for path in node.paths() if path.parts[0] not in names.places]
    for path in unknown:
        others = [name for name in names.values if name != node.name]
        help = did_you_mean(path.parts[0], others, kind="values")
        findings.error("E201", f"unknown value `{path.parts[0]}`", path.part_span(0), help=help)
    return bool(unknown)
