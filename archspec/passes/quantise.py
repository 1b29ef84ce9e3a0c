"""Store parameters as integers with scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Parameter
from archspec.ir.init import Init
from archspec.ir.repeat import Repeat
from archspec.ir.rewriter import Rewriter
from archspec.ir.storage import Storage
from archspec.passes.base import Pass
from archspec.record import record


@record
class Quantise(Pass):
    """Parameters are stored as integers with scales: `plan` has the storage of some by their paths, `*` for a layer.

    An op reads the values that integers and scales stand for, as it read the parameter. Tied uses read the same.

    Given:  `%y = linear(%x) [weight: float[8, 64]]`
    Result: `%y = linear(%x) [weight: float[8, 64] as int4:32]`

    Precondition: `storable` names each path. Raises KeyError for another.
    """

    name = "quantise"

    plan: Mapping[str, Storage]

    def apply(self, graph: Graph) -> Graph:
        """Change the parameters in every body."""
        return quantise(graph, self.plan)[0]


def quantise(graph: Graph, plan: Mapping[str, Storage]) -> tuple[Graph, Rewriter]:
    """The graph with its parameters stored by a plan, and the rewriter that knows the moved values.

    Raises KeyError for a path of the plan that is not storable.
    """
    known = storable(graph)
    storages = {known[path].parameter.path: storage for path, storage in plan.items()}
    # Layers of several kinds hold a parameter each under one path.
    every = (parameter for node in graph.walk() for parameter in node.parameters.values())
    return _body(graph, {one: _stored(one, storages[one.path]) for one in every if one.path in storages})


@record(eq=False)
class Storable:
    """A parameter that may be stored as integers.

    `channels` is the number of leading axes whose entries have scales of their own, and `rows` says that some op looks
    up its rows.
    """

    parameter: Parameter
    channels: int
    rows: bool


def storable(graph: Graph) -> dict[str, Storable]:
    """The parameters that may be stored as integers, by path, in the order of the graph.

    All ops that read one must take it for coefficients, and one node must own all that its module holds, in each call
    of the module. Layers of several kinds hold a parameter each under one path, which are stored alike and must have
    one type.
    """
    found: dict[str, Storable] = {}
    barred = set[str]()
    holders = _holders(graph)
    for node, inside in _placed(graph):
        specs = node.op.parameters(*(value.type for value in node.inputs))
        for local, parameter in node.parameters.items():
            spec, before = specs[local], found.get(parameter.path)
            differs = before is not None and before.parameter.type != parameter.type
            if not spec.channels or differs or (local in node.owned and not _is_apart(node, local, inside, holders)):
                barred.add(parameter.path)
            found[parameter.path] = Storable(
                parameter=parameter,
                channels=spec.channels if before is None else max(spec.channels, before.channels),
                rows=spec.rows or (before is not None and before.rows),
            )
    return {path: storable for path, storable in found.items() if path not in barred}


def _placed(graph: Graph, inside: str = "") -> Iterator[tuple[Node, str]]:
    """Every node, those of regions after the node that has them, with the path of the module that computes it."""
    for node in graph.nodes:
        yield node, inside
        module = _called(node)
        for region in node.regions:
            yield from _placed(region, inside if module is None else module)


def _called(node: Node) -> str | None:
    """The path of the module whose body a node runs, which several nodes may call; None for others."""
    if isinstance(node.op, Call):
        return node.op.module
    return f"{node.op.module}.*" if isinstance(node.op, Repeat) else None


def _holders(graph: Graph) -> Counter[str]:
    """How many nodes of one layer hold parameters in a module, by its path.

    Layers of several kinds count once, and so do calls of one module.
    """
    found, inner = Counter[str](), dict[str | None, Counter[str]]()
    for node in graph.nodes:
        found.update({_module(node, local) for local in node.owned})
        for region in node.regions:
            inner[_called(node)] = inner.get(_called(node), Counter()) | _holders(region)
    for kinds in inner.values():
        found.update(kinds)
    return found


def _module(node: Node, local: str) -> str:
    """The path of the module that holds a parameter."""
    return node.parameters[local].path.rpartition(".")[0]


def _is_apart(node: Node, local: str, inside: str, holders: Mapping[str, int]) -> bool:
    """Whether a parameter of a node is held by the class that computes it, or with the node's others and no more.

    `inside` is the path of the module of this class.
    """
    module = _module(node, local)
    whole = node.owned == frozenset(node.parameters) and {_module(node, one) for one in node.owned} == {module}
    named = node.parameters[local].path == f"{module}.{local}"
    return module == inside or (whole and named and holders[module] == 1)


def _stored(parameter: Parameter, storage: Storage) -> Parameter:
    return replace(parameter, stored=storage, init=Init(kind="constant", value=0.0))


def _body(graph: Graph, made: Mapping[Parameter, Parameter]) -> tuple[Graph, Rewriter]:
    """A body with other parameters."""
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        if any(one in made for one in node.parameters.values()):
            changed = {local: made.get(one, one) for local, one in node.parameters.items()}
            rewriter.change(node, parameters=changed)
        regions = [_body(region, made)[0] for region in node.regions]
        if any(new is not old for new, old in zip(regions, node.regions, strict=True)):
            rewriter.change(node, regions=regions)
    return rewriter.finish(), rewriter
