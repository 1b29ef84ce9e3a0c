"""Rewriting graphs: a pass records its edits of a body, and what they do not touch is shared with the old one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from archspec.ir.graph import Graph, Inner, Node, Parameter, Value
from archspec.ir.op import Op
from archspec.ir.types import TensorType


class Rewriter:
    """Edits of one body, in terms of its values and of those that the edits make; `finish` makes the new body.

    `inputs`, `outputs` and `inner` are those of the new body so far, and may be changed in place. A node is made again
    only where an edit changes it or an operand of it; all others, and the regions that no edit replaces, are the same
    objects in both bodies.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)
        self.output_names = list(graph.output_names)
        self.inner = dict(graph.inner)
        self._before: dict[Node, list[Node]] = {}
        self._after: dict[Node, list[Node]] = {}
        self._first: list[Node] = []
        self._last: list[Node] = []
        self._instead: dict[Value, Value] = {}
        self._changed: dict[Node, Node] = {}
        self._removed: set[Node] = set()

    # -- edits

    def add_input(self, name: str, type: TensorType) -> Value:
        """Add an input to the body; the node that owns it needs one more operand."""
        self.inputs.append(Value(name, type))
        return self.inputs[-1]

    def rename_input(self, value: Value, name: str) -> Value:
        """Give an input another name, or make a value of another body an input. Returns the new input."""
        made = Value(name, value.type)
        self.inputs[self.inputs.index(value)] = made
        self._instead[value] = made
        return made

    def insert(self, *nodes: Node, before: Node | None = None, after: Node | None = None) -> None:
        """Add nodes next to a node of the old body, or at the end. Several insertions at one place keep their order."""
        if before is not None:
            self._before.setdefault(before, []).extend(nodes)
        elif after is not None:
            self._after.setdefault(after, []).extend(nodes)
        else:
            self._last.extend(nodes)

    def insert_first(self, *nodes: Node) -> None:
        """Add nodes in front of all others."""
        self._first.extend(nodes)

    def replace_value(self, old: Value, new: Value) -> None:
        """Let everything that uses `old` use `new`, outputs included.

        Nodes that are made before `new` and that an edit added still read `old`, so that `new` may be computed from it.
        Raises ValueError where the two would replace each other.
        """
        end = new
        while end in self._instead and end is not old:
            end = self._instead[end]
        if end is old:
            raise ValueError(f"{old!r} and {new!r} would replace each other")
        self._instead[old] = new

    def replace(self, node: Node, nodes: Sequence[Node], outputs: Sequence[Value]) -> None:
        """Put nodes in place of a node, and a value in place of each of its outputs."""
        self.insert(*nodes, before=node)
        for old, new in zip(node.outputs, outputs, strict=True):
            self.replace_value(old, new)
        self.remove(node)

    def remove(self, node: Node) -> None:
        """Leave out a node whose outputs nothing uses any more."""
        self._removed.add(node)

    def change(
        self,
        node: Node,
        *,
        op: Op | None = None,
        inputs: Sequence[Value] | None = None,
        regions: Sequence[Graph] | None = None,
        parameters: Mapping[str, Parameter] | None = None,
        owned: frozenset[str] | None = None,
        more: Sequence[str] = (),
    ) -> tuple[Value, ...]:
        """Change a node in its place. Returns its new outputs.

        `more` names the outputs that its new op has beyond the old ones.
        """
        made = remade(
            self._changed.get(node, node),
            op=op,
            inputs=inputs,
            regions=regions,
            parameters=parameters,
            owned=owned,
            more=more,
        )
        for old, new in zip(self._changed.get(node, node).outputs, made.outputs, strict=False):
            self._instead[old] = new
        self._changed[node] = made
        return made.outputs

    def delete_dead(self, keep: Callable[[Node], bool] = lambda node: False) -> None:
        """Leave out the nodes whose outputs neither an output nor a node that stays uses, except those to `keep`."""
        # Backwards: what only dead nodes use is dead as well.
        for node in reversed(self.graph.nodes):
            dead = (use.node in self._removed for value in node.outputs for use in self.graph.uses(value))
            if all(dead) and not keep(node):
                self.remove(node)

    # -- the new body

    def finish(self) -> Graph:
        """The new body; the old one itself where nothing differs.

        Raises ValueError for a node or an output that needs a value which is not made before it.
        """
        known = set(self.inputs)
        nodes: list[Node] = []
        for node, is_new in self._sequence():
            operands = [self._now(value, known, strict=not is_new) for value in node.inputs]
            nodes.append(self._with(node, operands))
            known.update(nodes[-1].outputs)
        outputs = tuple(self._now(value, known, strict=True) for value in self.outputs)
        made = (tuple(self.inputs), tuple(nodes), outputs, tuple(self.output_names))
        old = self.graph
        if made == (old.inputs, old.nodes, old.outputs, old.output_names):
            return old
        return Graph(
            name=old.name,
            inputs=made[0],
            nodes=made[1],
            outputs=made[2],
            output_names=made[3],
            inner=dict(self._named(known)),
        )

    def moved(self, value: Value) -> Value:
        """The value of the new body for one of the old, once it is finished; the same one where nothing differs."""
        while value in self._instead:
            value = self._instead[value]
        return value

    def _sequence(self) -> Iterator[tuple[Node, bool]]:
        """The nodes of the new body in order, with operands as the edits gave them, and whether an edit added them."""
        yield from ((node, True) for node in self._first)
        for node in self.graph.nodes:
            yield from ((new, True) for new in self._before.get(node, ()))
            if node not in self._removed:
                yield self._changed.get(node, node), False
            yield from ((new, True) for new in self._after.get(node, ()))
        yield from ((node, True) for node in self._last)

    def _now(self, value: Value, known: set[Value], *, strict: bool) -> Value:
        """What stands for a value at this place: the last of its replacements that is made already."""
        found = end = value
        while end in self._instead:
            end = self._instead[end]
            found = end if end in known else found
        if found not in known or (strict and found is not end):
            raise ValueError(f"{end!r} is not made before it is used instead of {value!r}")
        return found

    def _with(self, node: Node, operands: Sequence[Value]) -> Node:
        """The node itself, or made again where its operands differ."""
        if tuple(operands) == node.inputs:
            return node
        made = remade(node, inputs=operands)
        self._instead.update(zip(node.outputs, made.outputs, strict=True))
        return made

    def _named(self, known: set[Value]) -> Iterator[tuple[str, Inner]]:
        """The inner values that paths name, less those that are gone."""
        for name, inner in self.inner.items():
            value = self.moved(inner.value)
            if value in known:
                yield name, inner if value is inner.value else Inner(value=value, port=inner.port)


def remade(
    node: Node,
    *,
    op: Op | None = None,
    inputs: Sequence[Value] | None = None,
    regions: Sequence[Graph] | None = None,
    parameters: Mapping[str, Parameter] | None = None,
    owned: frozenset[str] | None = None,
    more: Sequence[str] = (),
) -> Node:
    """A copy of a node with the given fields replaced, and new outputs of the types that its op infers.

    `more` names the outputs that the other one does not have.
    """
    op, inputs = op or node.op, node.inputs if inputs is None else tuple(inputs)
    names = [*(value.name for value in node.outputs), *more]
    types = [value.type for value in inputs]
    same = op is node.op and types == [value.type for value in node.inputs]
    results = [value.type for value in node.outputs] if same else op.infer(*types)
    return Node(
        op=op,
        inputs=inputs,
        # A value has one producer, and the old body stays as it was.
        outputs=tuple(Value(name, type_) for name, type_ in zip(names, results, strict=True)),
        parameters=node.parameters if parameters is None else parameters,
        owned=node.owned if owned is None else owned,
        regions=node.regions if regions is None else tuple(regions),
        name=node.name,
        scope=node.scope,
        span=node.span,
    )


def everywhere(graph: Graph, edit: Callable[[Rewriter], None]) -> Graph:
    """Edit a graph and all its regions, from the innermost outwards; bodies without a change are shared.

    `edit` gets each body after the regions in it. It must keep the inputs and outputs of a region, which belong to its
    node and to the other regions there.
    """
    inside = Rewriter(graph)
    for node in graph.nodes:
        regions = [everywhere(region, edit) for region in node.regions]
        if any(new is not old for new, old in zip(regions, node.regions, strict=True)):
            inside.change(node, regions=regions)
    rewriter = Rewriter(inside.finish())
    edit(rewriter)
    return rewriter.finish()
