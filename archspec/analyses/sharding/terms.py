"""Which whole values are `Copied`: those of which each rank holds only a term of the gradient.

A value that enters a group is `Copied`, and so is everything from there back to the hook that joins the gradient. The
fewest all-reduces are found as a minimum cut: source is what must be `Replicate`, sink what must be `Copied`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.analyses.sharding.gradients import GradientWires, senders
from archspec.analyses.sharding.groups import WHOLE_LABEL, Labels
from archspec.analyses.sharding.joining import Joining
from archspec.analyses.sharding.wiring import Link, WiredGraph
from archspec.ir.placement import Copied, Shard

_End = int | str
_Edge = tuple[_End, _End]
_REPLICATE, _COPIED = "replicate", "copied"
# The gradients of vectors, as of norms and biases, cost less than any conversion; that of a matrix costs more than one.
_CONVERSION, _VECTOR, _MATRIX = 1000, 1, 1500


def copied(wiring: WiredGraph, labels: Labels, gradients: GradientWires) -> frozenset[int] | None:
    """The wires that are `Copied`; None if a value would have to be whole and a term at once."""
    joining = _alike(wiring, labels, gradients)
    costs: dict[_Edge, int | None] = {}
    for a, b, cost in _costs(wiring, labels, gradients):
        edge = _end(joining, a), _end(joining, b)
        known = costs.get(edge, 0)
        costs[edge] = None if cost is None or known is None else known + cost
    terms = _terms(costs)
    if terms is None:
        return None
    wires = (wire for wire in gradients.possible if labels.wires.get(wire, WHOLE_LABEL) == WHOLE_LABEL)
    return frozenset(wire for wire in wires if _end(joining, wire) in terms)


def _end(joining: Joining, one: int | str) -> _End:
    return one if isinstance(one, str) else joining.number(one)


def _terms(costs: Mapping[_Edge, int | None]) -> frozenset[_End] | None:
    """The side of the terms in a cut of the least cost, as few as can be; None if there is no cut."""
    import networkx as nx

    endless: nx.DiGraph[_End] = nx.DiGraph([edge for edge, cost in costs.items() if cost is None])
    graph: nx.DiGraph[_End] = nx.DiGraph()
    for one in (endless, graph):
        one.add_nodes_from((_REPLICATE, _COPIED))
    if nx.has_path(endless, _REPLICATE, _COPIED):
        return None
    for (a, b), cost in costs.items():
        # Without a capacity, networkx takes that of an edge as infinite.
        graph.add_edge(a, b, **({} if cost is None else {"capacity": cost}))
    _, (_, terms) = nx.minimum_cut(graph, _REPLICATE, _COPIED)
    return frozenset(terms)


def _alike(wiring: WiredGraph, labels: Labels, gradients: GradientWires) -> Joining:
    """Wires that must be placed alike: those of an op that runs whole."""
    joining = Joining()
    for number, wired in enumerate(wiring.ops):
        wires = [wire for wire in (*senders(wired), *wired.results) if wire in gradients.possible]
        if number not in labels.ways and wires:
            joining.join(*wires)
    return joining


def _costs(
    wiring: WiredGraph, labels: Labels, gradients: GradientWires
) -> Iterator[tuple[int | str, int | str, int | None]]:
    """What it costs if the first is `Replicate` and the second `Copied`, by wires; None if that cannot be."""
    yield from ((_REPLICATE, wire, None) for wire in wiring.fixed & gradients.possible)
    for number, way in labels.ways.items():
        wired = wiring.ops[number]
        for wire in (*senders(wired), *wired.results):
            # An op on parts sends back terms to what it reads whole.
            if isinstance(way.labels[wire], Copied) and wire in gradients.possible:
                yield wire, _COPIED, None
    for link in wiring.links:
        if link.target in gradients.possible:
            yield from _of_link(link, labels)
    for wired in wiring.ops:
        for name, wire in wired.parameters.items():
            if wire in gradients.trained:
                yield (
                    _REPLICATE,
                    wire,
                    wired.times * (_MATRIX if wired.node.parameters[name].type.rank > 1 else _VECTOR),
                )


def _of_link(link: Link, labels: Labels) -> Iterator[tuple[int | str, int | str, int | None]]:
    """The costs of a hook."""
    source, target = (labels.wires.get(wire, WHOLE_LABEL) for wire in (link.source, link.target))
    cost = _CONVERSION * sum(times for _, times in link.runs)
    if source == target == WHOLE_LABEL:
        yield link.source, link.target, cost
        # What is a term cannot be made whole again.
        yield link.target, link.source, None
    elif target == WHOLE_LABEL:
        # Sums and parts are made whole at once in the forward pass, and terms are joined in the backward pass: into
        # parts by a reduce-scatter, which is half of an all-reduce.
        yield _REPLICATE, link.target, cost // 2 if isinstance(source, Shard) else cost
    elif source == WHOLE_LABEL:
        # A part of what is whole is gathered in the backward pass, a part of a term is not. Of ways that send as much,
        # the one without a gather has fewer exchanges.
        yield link.source, _COPIED, cost // 2 + 1
