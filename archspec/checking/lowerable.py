"""Whether a spec can be expressed as a module, decided without lowering it where the graph shows that it can."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from archspec.algebra.dim import Symbol
from archspec.diagnostics import Diagnostic, SpecError
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.lower.naming import may_be_attribute
from archspec.ops.attention.attention import Attention
from archspec.spec import Spec


def lowering_diagnostics(spec: Spec) -> tuple[Diagnostic, ...]:
    """E501 or E502 where no PyTorch module can express the graph; otherwise nothing.

    Lowering takes longer than the rest of a check, and almost no spec needs it: names that are valid attributes, and
    modules that are called once or with bodies that differ only in their dims, give neither error.
    """
    # A sufficient condition for no error; in every other case lowering itself decides.
    if all(map(_may_be_attributes, spec.graph.walk())) and not any(
        _differ(group, spec.dims) for group in _reused(spec.graph)
    ):
        return ()
    from archspec.lower.emission import require_module

    try:
        require_module(spec)
    except SpecError as error:
        # The errors of lowering are the findings of the check.
        return error.diagnostics
    return ()


def _may_be_attributes(node: Node) -> bool:
    """Whether every part of the paths of a node and its parameters can be the name of a module attribute."""
    paths = (node.path, *(parameter.path for parameter in node.parameters.values()))
    parts = {part for path in paths for part in path.split(".")}
    return all(may_be_attribute(part) or part == "*" or part.isdigit() for part in parts if part)


def _reused(graph: Graph) -> Iterator[list[Node]]:
    """Groups of nodes of one body that call the same module, for every module that is called more than once."""
    groups: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Call | Repeat):
            groups.setdefault(node.op.module, []).append(node)
        for region in node.regions:
            yield from _reused(region)
    yield from (group for group in groups.values() if len(group) > 1)


def _differ(nodes: list[Node], dims: Mapping[str, Symbol]) -> bool:
    """Whether the bodies may need different code. With attention they may: its masks depend on the whole graph."""
    inside = (node for region in nodes[0].regions for node in region.walk())
    return any(isinstance(node.op, Attention) for node in inside) or len({_text(node, dims) for node in nodes}) > 1


def _text(node: Node, dims: Mapping[str, Symbol]) -> str:
    """The bodies of a node as text, with dims numbered in the order of their occurrence."""
    text = repr([list(_rows(region)) for region in node.regions])
    order: dict[str, int] = {}

    def renamed(match: re.Match[str]) -> str:
        dim = dims[match.group()]
        # Two calls at different dims are the same code if their ranges agree, so names of dims must not count.
        number = order.setdefault(dim.name, len(order))
        return f"#{number}[{dim.min}, {dim.max}, {dim.multiple}]"

    return re.sub(rf"\b(?:{'|'.join(map(re.escape, dims))})\b", renamed, text) if dims else text


def _rows(graph: Graph) -> Iterator[object]:
    """Everything in a body except where it is: types of inputs, ops with numbers for values, results."""
    numbers: dict[Value, int] = {value: number for number, value in enumerate(graph.inputs)}
    yield [str(value.type) for value in graph.inputs]
    for node in graph.nodes:
        read = [numbers[value] for value in node.inputs]
        for value in node.outputs:
            numbers[value] = len(numbers)
        parameters = sorted((name, parameter.path) for name, parameter in node.parameters.items())
        inner = [list(_rows(region)) for region in node.regions]
        yield repr(node.op), read, [str(value.type) for value in node.outputs], parameters, inner
    yield [numbers[value] for value in graph.outputs]
