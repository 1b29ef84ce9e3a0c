"""Places of bodies in the tree of modules, by which the same module is found in several graphs of one model."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.repeat import Repeat


def place(around: str, module: str, path: str) -> str:
    """The place of a module: that of the body around it, and its path relative to that body's module.

    Args:
        around: the place of the body that contains it, "" for the whole model.
        module: the module path of that body.
        path: the path of the module.
    """
    return f"{around}/{path.removeprefix(f'{module}.')}"


def body_place(found: str, kind: int) -> str:
    """The place of a body of repeated layers at a place."""
    return f"{found}*{kind}"


def nodes_by_place(graph: Graph) -> dict[str, list[Node]]:
    """The calls and repeats of a graph, at all depths, by place."""
    found: dict[str, list[Node]] = {}
    for where, node in _walk(graph, "", ""):
        found.setdefault(where, []).append(node)
    return found


def _walk(graph: Graph, around: str, module: str) -> Iterator[tuple[str, Node]]:
    for node in graph.nodes:
        match node.op:
            case Call() as op:
                where = place(around, module, op.module)
                yield where, node
                yield from _walk(node.regions[0], where, op.module)
            case Repeat() as op:
                where = place(around, module, op.module)
                yield where, node
                for kind, region in enumerate(node.regions):
                    yield from _walk(region, body_place(where, kind), f"{op.module}.*")
