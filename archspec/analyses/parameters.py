"""The parameters of a graph: in groups, one for each name pattern, and one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.ir.graph import Graph, Node, Parameter
from archspec.ir.repeat import Repeat
from archspec.record import record


@record
class Group:
    """The parameters that one body declares under one pattern: `states.layers.*.attention.q.weight`.

    `layers` gives the layer numbers that each `*` runs over, outermost first.
    """

    parameter: Parameter
    layers: tuple[tuple[int, ...], ...]

    @property
    def pattern(self) -> str:
        """The name, with `*` for the number of each enclosing layer."""
        return self.parameter.path

    @property
    def count(self) -> int:
        """The number of tensors in the group."""
        total = 1
        for layers in self.layers:
            total *= len(layers)
        return total

    @property
    def elements(self) -> int:
        """Elements of one tensor. Raises ValueError where its size is not fixed."""
        size = self.parameter.type.elements().constant
        if size is None:
            raise ValueError(f"{self.pattern} has no fixed size")
        return size


def parameter_groups(graph: Graph) -> tuple[Group, ...]:
    """Every owned parameter once, in the order of the nodes; tied and reused ones are counted where they are owned.

    Buffers are left out.
    """
    groups: dict[Parameter, Group] = {}
    for group in owned_groups(graph):
        if not group.parameter.buffer:
            # A module that is called twice declares its parameters in both bodies: they count once.
            groups.setdefault(group.parameter, group)
    return tuple(groups.values())


def owned_groups(graph: Graph) -> Iterator[Group]:
    """Every parameter and buffer with the layers that hold it, once for each node that declares it."""
    yield from _groups(graph, ())


def _groups(graph: Graph, layers: tuple[tuple[int, ...], ...]) -> Iterator[Group]:
    for node in graph.nodes:
        for local, parameter in node.parameters.items():
            if local in node.owned:
                yield Group(parameter=parameter, layers=layers)
        for number, region in enumerate(node.regions):
            yield from _groups(region, layers + _star(node, number))


def _star(node: Node, number: int) -> tuple[tuple[int, ...], ...]:
    """The layers for which a body of a repeat holds parameters; empty for a call, which adds no `*`."""
    if not isinstance(node.op, Repeat):
        return ()
    return (node.op.holders(number),)


def expand(graph: Graph) -> dict[str, Parameter]:
    """Every stored tensor by its real name, layer by layer, in the order of a PyTorch state dict.

    They are the parameters and buffers, and the scales of those that are stored as integers.
    """
    found = dict(_expand(graph, ()))
    # A state dict lists a module's own tensors before those of its submodules, whatever the order of the nodes.
    return {name: found[name] for name in _own_first({name: name.split(".") for name in found}, 0)}


def _own_first(names: Mapping[str, list[str]], depth: int) -> Iterator[str]:
    """Names in the order of a state dict: the tensors of a module, then those of its submodules."""
    modules: dict[str, dict[str, list[str]]] = {}
    for name, parts in names.items():
        if len(parts) == depth + 1:
            yield name
        else:
            modules.setdefault(parts[depth], {})[name] = parts
    for inner in modules.values():
        yield from _own_first(inner, depth + 1)


def _expand(graph: Graph, indices: tuple[int, ...]) -> Iterator[tuple[str, Parameter]]:
    for node in graph.nodes:
        for local, parameter in node.parameters.items():
            if local in node.owned:
                yield numbered(parameter.path, indices), parameter
                if parameter.scale is not None:
                    yield numbered(parameter.scale.path, indices), parameter.scale
        if isinstance(node.op, Repeat):
            for layer, body in enumerate(node.op.schedule):
                # Shared layers are stored under the first that runs the body.
                if node.op.holder(layer) == layer:
                    yield from _expand(node.regions[body], (*indices, layer))
        else:
            for region in node.regions:
                yield from _expand(region, indices)


def numbered(pattern: str, indices: tuple[int, ...]) -> str:
    """The pattern with layer numbers in place of its `*`, outermost first."""
    remaining = iter(indices)
    return ".".join(str(next(remaining)) if part == "*" else part for part in pattern.split("."))
