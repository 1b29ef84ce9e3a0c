"""Whether the parameters of one spec load into another, and under which names."""

from __future__ import annotations

from collections import Counter
from itertools import product

from archspec.analyses.parameters import owned_groups
from archspec.diff.changes import Loading, OtherShape
from archspec.diff.matching import Region
from archspec.ir.graph import Graph, Parameter

Tensor = tuple[str, tuple[int, ...]]
"""A parameter by its path, with `*` for the number of each layer, and these numbers."""


def checkpoint(before: Graph, after: Graph, region: Region) -> Loading:
    """How a state dict of the first graph loads into the second."""
    held, wanted = _tensors(before), _tensors(after)
    known = sources(region)
    moves: dict[tuple[str, str], None] = {}
    misfits: Counter[tuple[str, str, str]] = Counter()
    missing: Counter[str] = Counter()
    used: set[Tensor] = set()
    for (path, layers), parameter in wanted.items():
        source = known.get(path, path), layers
        if source not in held:
            missing[path] += 1
            continue
        used.add(source)
        old, new = _shape(held[source]), _shape(parameter)
        if old != new:
            misfits[path, old, new] += 1
        if source[0] != path:
            moves[source[0], path] = None
    return Loading(
        moves=tuple(moves),
        misfits=tuple(OtherShape(name=n, before=b, after=a, count=count) for (n, b, a), count in misfits.items()),
        missing=tuple(missing.items()),
        unused=tuple(Counter(path for path, layers in held if (path, layers) not in used).items()),
    )


def _tensors(graph: Graph) -> dict[Tensor, Parameter]:
    """Every parameter and buffer that a state dict has, in the order of the nodes."""
    return {
        (group.pattern, layers): group.parameter for group in owned_groups(graph) for layers in product(*group.layers)
    }


def sources(region: Region) -> dict[str, str]:
    """Where each parameter of the second spec is in the first, by path; one may serve several, as a tied one does."""
    own: dict[str, str] = {}
    tied: dict[str, str] = {}
    for inner in region.walk():
        for one, other in inner.pairs.steps.items():
            for local in one.node.parameters.keys() & other.node.parameters.keys():
                found = own if local in other.node.owned else tied
                found.setdefault(other.node.parameters[local].path, one.node.parameters[local].path)
    return tied | own


def _shape(parameter: Parameter) -> str:
    return f"{parameter.type.dtype}[{', '.join(map(str, parameter.type.shape))}]"
