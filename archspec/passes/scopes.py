"""Where values come from: bodies as a tree, and the path of a captured value back to where it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value


@dataclass(eq=False, kw_only=True)
class Scope:
    """A body in the tree of bodies. `module` is the path of the module whose body it is, with `*` for layers."""

    graph: Graph
    module: str = ""
    parent: Scope | None = None
    depth: int = 0
    inner: dict[Node, list[Scope]] = field(default_factory=dict)

    def walk(self) -> Iterator[Scope]:
        """This body and all bodies inside it, outermost first."""
        yield self
        for scopes in self.inner.values():
            for scope in scopes:
                yield from scope.walk()

    def up_to(self, home: Scope) -> Iterator[Scope]:
        """This body and those around it, up to but without `home`."""
        scope: Scope | None = self
        while scope is not None and scope is not home:
            yield scope
            scope = scope.parent


class Scopes:
    """The tree of bodies of a graph, the body in which each value is made, and the outer value of each captured one."""

    def __init__(self, graph: Graph) -> None:
        self.homes: dict[Value, Scope] = {}
        self._outside: dict[Value, Value] = {}
        self.root = self._scope(Scope(graph=graph))

    def _scope(self, scope: Scope) -> Scope:
        made = (value for node in scope.graph.nodes for value in node.outputs)
        self.homes.update(dict.fromkeys([*scope.graph.inputs, *made], scope))
        for node in scope.graph.nodes:
            if node.regions:
                scope.inner[node] = [self._inner(scope, node, region) for region in node.regions]
        return scope

    def _inner(self, scope: Scope, node: Node, region: Graph) -> Scope:
        self._outside.update((inner, outer) for outer, inner in node.captures(region))
        module = node.op.module if isinstance(node.op, Call) else f"{getattr(node.op, 'module', '')}.*"
        return self._scope(Scope(graph=region, module=module, parent=scope, depth=scope.depth + 1))

    def origin(self, value: Value, home: Scope | None = None) -> Value:
        """The value that a captured value stands for, where it was made; in the body `home` on the way if given.

        A carried value of a repeat is its own origin: every layer makes a new one.
        """
        while value in self._outside and self.homes[value] is not home:
            value = self._outside[value]
        return value
