"""Whether the parameters of one spec load into another, and under which names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import product

from archspec.analyses.parameters import owned_groups
from archspec.diff.changes import Loading, OtherShape
from archspec.diff.matching import Region
from archspec.diff.places import ALL
from archspec.diff.words import numbers
from archspec.ir.graph import Graph, Parameter

Layers = tuple[int, ...]
"""The number of a layer for each `*` of a pattern of names."""
Tensors = Mapping[str, Mapping[Layers, str]]
"""The shape of each tensor of a state dict, by its pattern and the numbers of its layers."""


def checkpoint(before: Graph, after: Graph, region: Region) -> Loading:
    """How a state dict of the first graph loads into the second."""
    held, wanted, known = _tensors(before), _tensors(after), sources(region)
    moves: dict[tuple[str, str], None] = {}
    misfits: list[OtherShape] = []
    missing: list[tuple[str, int]] = []
    used: dict[str, set[Layers]] = {}
    for path, shapes in wanted.items():
        source = known.get(path, path)
        there = held.get(source, {})
        found = [layers for layers in shapes if layers in there]
        missing += _named(path, shapes.keys() - found, shapes)
        misfits += _misfits(path, shapes, {layers: there[layers] for layers in found})
        used.setdefault(source, set()).update(found)
        if found and source != path:
            moves[source, path] = None
    unused = (one for path, shapes in held.items() for one in _named(path, shapes.keys() - used.get(path, ()), shapes))
    return Loading(moves=tuple(moves), misfits=tuple(misfits), missing=tuple(missing), unused=tuple(unused))


def _tensors(graph: Graph) -> Tensors:
    """Every parameter and buffer that a state dict has, in the order of the nodes."""
    found: dict[str, dict[Layers, str]] = {}
    for group in owned_groups(graph):
        # The layers of one stack may be of several kinds, each a group of its own.
        found.setdefault(group.pattern, {}).update(dict.fromkeys(product(*group.layers), _shape(group.parameter)))
    return found


def _misfits(path: str, shapes: Mapping[Layers, str], held: Mapping[Layers, str]) -> Iterator[OtherShape]:
    """Tensors of a pattern that have another shape, together where they change alike."""
    changed: dict[tuple[str, str], list[Layers]] = {}
    for layers, old in held.items():
        if old != shapes[layers]:
            changed.setdefault((old, shapes[layers]), []).append(layers)
    for (old, new), found in changed.items():
        for name, count in _named(path, found, shapes):
            yield OtherShape(name=name, before=old, after=new, count=count)


def _named(path: str, found: Collection[Layers], of: Collection[Layers]) -> list[tuple[str, int]]:
    """A name for some layers of a pattern, with how many tensors it stands for: `*` for all, numbers for some."""
    if not found:
        return []
    parts = iter([ALL if len(found) == len(of) else numbers(sorted(set(one))) for one in zip(*found, strict=True)])
    return [(".".join(next(parts) if part == ALL else part for part in path.split(".")), len(found))]


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
