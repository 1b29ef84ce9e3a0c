"""Where precision is lost: the first node from which on a rule is no longer proved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archspec.ir.call import Call
from archspec.ir.graph import Node, Value
from archspec.rules.flow import Dependence
from archspec.rules.target import over_axes
from archspec.spec import Rule


def where_lost(rule: Rule, dependence: Dependence, proved: Callable[[Value], bool]) -> Node | None:
    """The first node whose value has the axes that the rule is about, and for which the rule is not proved.

    `proved` judges the rule as if that value were its output. Returns the producer of the output where no other node is
    found.
    """
    axes = rule.output.type.axes[: _spoken_of(rule)]
    for node in _inside(dependence.graph.nodes):
        for value in node.outputs:
            if (
                # The rule can only be asked of values whose first axes are those of its output.
                value.type.axes[: len(axes)] == axes
                and dependence.relation(value, rule.input).atoms
                and not proved(value)
            ):
                return node
    return rule.output.producer


def _spoken_of(rule: Rule) -> int:
    """The number of first axes of the output that hold all axes that the rule speaks of: at least two."""
    named = (over_axes(rule.output, value) for value in (rule.where, rule.at, rule.by) if value is not None)
    return 1 + max([1, *rule.axes[0], *(axis for axes in named for axis in axes or ())])


def _inside(nodes: Iterable[Node]) -> Iterator[Node]:
    """Nodes in order, those of a module before the module itself; a repeat counts as one node."""
    for node in nodes:
        if isinstance(node.op, Call):
            yield from _inside(node.regions[0].nodes)
        yield node
