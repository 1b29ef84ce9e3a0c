"""Whether the parameters of one spec load into another, and under which names."""

from __future__ import annotations

from archspec.analyses.parameters import expand, numbered
from archspec.diff.changes import Loading, OtherShape
from archspec.diff.matching import Region
from archspec.diff.places import ALL
from archspec.ir.graph import Graph, Parameter


def checkpoint(before: Graph, after: Graph, region: Region) -> Loading:
    """How a state dict of the first graph loads into the second."""
    held, wanted = expand(before), expand(after)
    sources = _sources(region)
    moves: dict[tuple[str, str], None] = {}
    misfits: dict[tuple[str, str, str], int] = {}
    missing: dict[str, int] = {}
    used = set()
    for name, parameter in wanted.items():
        path = sources.get(parameter.path, parameter.path)
        source = _numbered(path, parameter.path, name)
        if source is None or source not in held:
            missing[parameter.path] = missing.get(parameter.path, 0) + 1
            continue
        used.add(source)
        old, new = _shape(held[source]), _shape(parameter)
        if old != new:
            key = parameter.path, old, new
            misfits[key] = misfits.get(key, 0) + 1
        if path != parameter.path:
            moves[path, parameter.path] = None
    unused: dict[str, int] = {}
    for name, parameter in held.items():
        if name not in used:
            unused[parameter.path] = unused.get(parameter.path, 0) + 1
    return Loading(
        moves=tuple(moves),
        misfits=tuple(OtherShape(name=n, before=b, after=a, count=count) for (n, b, a), count in misfits.items()),
        missing=tuple(missing.items()),
        unused=tuple(unused.items()),
    )


def names_before(after: Graph, region: Region) -> dict[str, str]:
    """The first spec's name of each parameter of the second, layer by layer, where it has one."""
    sources = _sources(region)
    found = {name: _numbered(sources.get(one.path, one.path), one.path, name) for name, one in expand(after).items()}
    return {name: source for name, source in found.items() if source is not None}


def _sources(region: Region) -> dict[str, str]:
    """Where each parameter of the second spec is in the first, by path; one may serve several, as a tied one does."""
    own: dict[str, str] = {}
    tied: dict[str, str] = {}
    for inner in region.walk():
        for one, other in inner.pairs.steps.items():
            for local in one.node.parameters.keys() & other.node.parameters.keys():
                found = own if local in other.node.owned else tied
                found.setdefault(other.node.parameters[local].path, one.node.parameters[local].path)
    return tied | own


def _numbered(path: str, pattern: str, name: str) -> str | None:
    """A path of the first spec with the layers that a name of the second has; None where it has other layers."""
    layers = [int(part) for part, star in zip(name.split("."), pattern.split("."), strict=True) if star == ALL]
    return numbered(path, tuple(layers)) if path.split(".").count(ALL) == len(layers) else None


def _shape(parameter: Parameter) -> str:
    return f"{parameter.type.dtype}[{', '.join(map(str, parameter.type.shape))}]"
