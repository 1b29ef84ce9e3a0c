"""Graph algorithms on definitions and graphs, by networkx, which is only imported when one of them is called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

Vertex = TypeVar("Vertex", bound=Hashable)


def cycle_from(start: str, edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The first cycle found from a name along edges, each name before the one it leads to.

    Raises ValueError where no cycle can be reached.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph((name, one) for name, after in edges.items() for one in after)
    try:
        return tuple(before for before, _ in nx.find_cycle(graph, start))
    except nx.NetworkXNoCycle:
        raise ValueError(f"no cycle can be reached from {start}") from None


def shortest_path(
    start: Vertex, goal: Vertex, neighbours: Callable[[Vertex], Iterable[Vertex]]
) -> tuple[Vertex, ...] | None:
    """The vertices of a shortest path from `start` to `goal`, both included; None where there is none.

    The search is breadth first and stops at the goal: vertices that are farther away are never expanded. Among several
    shortest paths it is the one whose vertices `neighbours` yields first.
    """
    import networkx as nx

    came: dict[Vertex, Vertex] = {}
    # The graph is implicit: `neighbours` computes it as the search goes, and most of it is never built.
    edges = nx.generic_bfs_edges(nx.DiGraph([(start, start)]), start, neighbours, depth_limit=sys.maxsize)
    for before, after in () if start == goal else edges:
        came[after] = before
        if after == goal:
            break
    else:
        return (start,) if start == goal else None
    path = [goal]
    while path[-1] != start:
        path.append(came[path[-1]])
    return tuple(reversed(path))


def cheapest_cut(
    wanted: Iterable[Vertex], before: Mapping[Vertex, Iterable[Vertex]], cost: Callable[[Vertex], int]
) -> frozenset[Vertex]:
    """The vertex cut of least total cost between the vertices without predecessors and the wanted ones.

    `before` gives what a vertex is made from; a vertex that is wanted may be in the cut itself. Of several cuts of one
    cost it is the one nearest to the wanted vertices.
    """
    import networkx as nx

    graph: nx.DiGraph[object] = nx.DiGraph()
    graph.add_nodes_from(("made", "wanted"))
    seen = list(dict.fromkeys(wanted))
    graph.add_edges_from((("after", vertex), "wanted") for vertex in seen)
    for vertex in seen:
        # A vertex is an edge between two halves. Edges without a capacity are infinite in networkx, so no other is cut.
        graph.add_edge(("before", vertex), ("after", vertex), capacity=cost(vertex))
        operands = list(dict.fromkeys(before.get(vertex, ())))
        graph.add_edges_from((("after", one), ("before", vertex)) for one in operands)
        graph.add_edges_from([] if operands else [("made", ("before", vertex))])
        seen += [one for one in operands if one not in seen]
    # The second part is all that reaches the end without saturation: the cut around it is the nearest one.
    _, (_, near) = nx.minimum_cut(graph, "made", "wanted")
    return frozenset(vertex for vertex in seen if ("after", vertex) in near and ("before", vertex) not in near)
