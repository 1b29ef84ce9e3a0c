"""Where precision is lost: the first node at which a rule stops to be proved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archspec.ir.call import Call
from archspec.ir.graph import Node, Value
from archspec.rules.flow import Dependence
from archspec.spec import Rule


def where_lost(rule: Rule, dependence: Dependence, proved: Callable[[Value], bool]) -> Node | None:
    """The first node on the way whose value has the axes of the rule's output and for which the rule is not proved."""
    axes = rule.output.type.axes[:2]
    for node in _inside(dependence.graph.nodes):
        for value in node.outputs:
            if (
                value.type.axes[: len(axes)] == axes
                and dependence.relation(value, rule.input).atoms
                and not proved(value)
            ):
                return node
    return rule.output.producer


def _inside(nodes: Iterable[Node]) -> Iterator[Node]:
    """Nodes in order, those of modules before the modules themselves; layers are one node."""
    for node in nodes:
        if isinstance(node.op, Call):
            yield from _inside(node.regions[0].nodes)
        yield node
