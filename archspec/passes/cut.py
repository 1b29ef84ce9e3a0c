"""Split a graph at the values that do not depend on an input which changes in every step.

Generation by an encoder-decoder model runs the encoder once and the decoder for each token: `once` and `step`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from archspec.algebra.dim import Symbol
from archspec.analyses.size_use import sizes_of
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.repeat import Repeat
from archspec.ir.rewriter import Rewriter
from archspec.ir.verifier import verify
from archspec.record import record


@record(eq=False)
class Cut:
    """Two graphs: the outputs of `once` are, by name, inputs of `step`.

    `step` has the one requested output; `once` is None where everything depends on the input.
    """

    once: Graph | None
    step: Graph


def cut(graph: Graph, fed: str, output: str) -> Cut:
    """Split a graph into a part that is computed once and a part that is computed for each value of the input `fed`.

    Given:  `(%src, %tgt): %m = call(%src) {...}; %y = call(%tgt, %m) {...}; return %y`
    Result: `(%src): %m = call(%src) {...}; return %m` and `(%tgt, %m): %y = call(%tgt, %m) {...}; return %y`

    Inputs whose types contain the size of the fed positions count as fed too. Nodes that the output does not need are
    left out. A parameter that both parts use is owned in both. Raises KeyError for an unknown input or output.
    """
    target = dict(zip(graph.output_names, graph.outputs, strict=True))[output]
    needed = _needed(graph, target)
    late, early = _parted(needed, {value.name: value for value in graph.inputs}[fed])
    after = {None, *late}
    made = (value for node in early for value in node.outputs)
    handed = [value for value in made if any(use.node in after for use in needed.uses(value))]
    names = _names(handed, [value.name for value in graph.inputs])
    once = _part(graph, early, handed, list(names.values()), {}) if handed else None
    step = _part(graph, late, [target], [output], names)
    if step is None or (handed and once is None):
        # A parameter is outside the module that uses it, and its owner is in the other part.
        return Cut(once=None, step=_part(graph, needed.nodes, [target], [output], {}) or graph)
    return Cut(once=once, step=step)


def _needed(graph: Graph, target: Value) -> Graph:
    """The graph of one output, without the nodes that it does not need."""
    rewriter = Rewriter(replace(graph, outputs=(target,), output_names=(target.name,)))
    rewriter.delete_dead()
    return rewriter.finish()


def _parted(graph: Graph, fed: Value) -> tuple[list[Node], list[Node]]:
    """The nodes that depend on the fed input or on its number of positions, and the others."""
    size = _positions(fed)
    growing = {value for value in graph.inputs if value is fed or (size and _holds(value, size))}
    late: list[Node] = []
    early: list[Node] = []
    for node in graph.nodes:
        # A node that only mentions the size (a mask of that length) changes with every step as well.
        depends = not growing.isdisjoint(node.inputs) or (size is not None and size in sizes_of(node))
        if depends:
            growing.update(node.outputs)
        (late if depends else early).append(node)
    return late, early


def _positions(fed: Value) -> Symbol | None:
    """The dim of the fed input's last axis, where that axis depends on exactly one."""
    symbols = fed.type.shape[-1].symbols()
    return next(iter(symbols)) if len(symbols) == 1 else None


def _holds(value: Value, size: Symbol) -> bool:
    return any(size in dim.symbols() for dim in value.type.shape)


def _names(handed: Iterable[Value], taken: Iterable[str]) -> dict[Value, str]:
    """A name for each value that is handed over, distinct from those of the inputs."""
    used, found = set(taken), {}
    for value in handed:
        name, number = value.name, 2
        while name in used:
            name, number = f"{value.name}_{number}", number + 1
        used.add(name)
        found[value] = name
    return found


def _part(
    graph: Graph, nodes: Sequence[Node], outputs: Sequence[Value], names: Sequence[str], given: dict[Value, str]
) -> Graph | None:
    """A graph of some of the nodes, with `given` among its inputs; None where a parameter would have no owner."""
    body = Graph(name=graph.name, inputs=(), nodes=tuple(nodes), outputs=tuple(outputs), output_names=tuple(names))
    body = replace(body, inputs=(*(value for value in graph.inputs if body.uses(value)), *given))
    try:
        made = own_parameters(body, given)
    except OwnerElsewhere:
        return None
    verify(made)
    return made


class OwnerElsewhere(Exception):
    """A parameter is outside the module that uses it, and its owner is not in the graph."""


def own_parameters(body: Graph, given: Mapping[Value, str] | None = None) -> Graph:
    """Let every parameter have an owner in a part of a graph: the first node that uses it.

    `given` are names for inputs of the part that are values of the whole. Raises OwnerElsewhere where no node can own.
    """
    uses = [parameter for node in body.walk() for parameter in node.parameters.values()]
    owned = {node.parameters[local] for node in body.walk() for local in node.owned}
    missing = dict.fromkeys(parameter for parameter in uses if parameter not in owned)
    made = _owning(body, missing, "", given or {})
    if missing:
        raise OwnerElsewhere
    return made


def _owning(graph: Graph, missing: dict[Parameter, None], module: str, names: Mapping[Value, str]) -> Graph:
    """A copy in which the first node that uses a missing parameter owns it.

    Parameters that found an owner are removed from `missing`.
    """
    rewriter = Rewriter(graph)
    for value, name in names.items():
        rewriter.rename_input(value, name)
    for node in graph.nodes:
        # A module can only own parameters below its own path: the emitted class declares them there.
        first = {local for local, one in node.parameters.items() if one in missing and _inside(one.path, module)}
        for local in first:
            missing.pop(node.parameters[local], None)
        regions = [_owning(region, missing, _module(node, module), {}) for region in node.regions]
        if first or any(new is not old for new, old in zip(regions, node.regions, strict=True)):
            rewriter.change(node, regions=regions, owned=node.owned | first)
    return rewriter.finish()


def _module(node: Node, around: str) -> str:
    match node.op:
        case Call(module=module):
            return module
        case Repeat(module=module):
            return f"{module}.*"
        case _:
            return around


def _inside(path: str, module: str) -> bool:
    return not module or path.startswith(f"{module}.")
