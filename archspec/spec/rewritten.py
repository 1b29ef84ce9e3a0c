"""A spec whose graph was rewritten: its outputs, its names and its rules are about the values of the new graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archspec.ir.graph import Graph, Value
from archspec.ir.rewriter import remade
from archspec.spec.rules import Rule
from archspec.spec.spec import Spec

Moved = Callable[[Value], Value]
"""The value of the new graph for one of the old; the same one where nothing differs."""


def rewritten(spec: Spec, graph: Graph, moved: Moved) -> Spec:
    """The spec with a graph that was made from its own by a pass.

    Args:
        spec: the spec.
        graph: the new graph.
        moved: the new value for each value at the top of the old graph.
    """
    followed = MovedValues(graph, moved)
    return replace(
        spec,
        graph=graph,
        rules=tuple(followed.rule(rule) for rule in spec.rules),
        outputs={name: followed.value(value) for name, value in spec.outputs.items()},
        values={name: moved(value) for name, value in spec.values.items()},
    )


class MovedValues:
    """The values of an old graph, and those that rules compute apart from it, as they are in a new one."""

    def __init__(self, graph: Graph, moved: Moved) -> None:
        self._moved = moved
        self._known = {*graph.inputs, *(value for node in graph.nodes for value in node.outputs)}
        self._apart: dict[Value, Value] = {}

    def rule(self, rule: Rule) -> Rule:
        """The rule about the new values."""
        return replace(
            rule,
            output=self.value(rule.output),
            input=self.value(rule.input),
            controls=tuple(self.value(control) for control in rule.controls),
            where=None if rule.where is None else self.value(rule.where),
            at=None if rule.at is None else self.value(rule.at),
            by=None if rule.by is None else self.value(rule.by),
            valid=None if rule.valid is None else self.value(rule.valid),
        )

    def value(self, value: Value) -> Value:
        """The new value; one that is computed apart is computed from new operands."""
        found = self._apart.get(value, self._moved(value))
        if found in self._known or found.producer is None or found is not value:
            return found
        # Rules compute predicates from values of the graph, by nodes that are not in it.
        inputs = [self.value(operand) for operand in found.producer.inputs]
        if tuple(inputs) != found.producer.inputs:
            made = remade(found.producer, inputs=inputs)
            self._apart.update(zip(found.producer.outputs, made.outputs, strict=True))
        return self._apart.setdefault(value, value)
