"""Cycles and shortest paths against brute force."""

from __future__ import annotations

from itertools import pairwise, permutations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from archspec.ir.topology import cycle_from, shortest_path

GRAPHS = st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), min_size=6)


def brute_force(graph: dict[str, list[str]], start: str, goal: str) -> int | None:
    """The number of vertices of a shortest path, by trying every sequence of vertices."""
    if start == goal:
        return 1
    for inner in range(5):
        for between in permutations(sorted(set("abcdef") - {start, goal}), inner):
            path = (start, *between, goal)
            if all(after in graph[before] for before, after in pairwise(path)):
                return len(path)
    return None


@given(GRAPHS, st.sampled_from("abcdef"), st.sampled_from("abcdef"))
def test_a_shortest_path_is_a_path_and_none_is_shorter(graph: dict[str, list[str]], start: str, goal: str) -> None:
    path = shortest_path(start, goal, lambda vertex: graph[vertex])
    expected = brute_force(graph, start, goal)
    if path is None:
        assert expected is None
        return
    assert (path[0], path[-1], len(path)) == (start, goal, expected)
    assert all(after in graph[before] for before, after in pairwise(path))


def test_exploring_ends_at_the_goal() -> None:
    asked = []

    def neighbours(number: int) -> list[int]:
        asked.append(number)
        return [number + 1]

    assert shortest_path(0, 3, neighbours) == (0, 1, 2, 3)
    assert max(asked) <= 3


def test_the_first_of_several_shortest_paths_is_taken() -> None:
    graph = {"a": "cb", "b": "d", "c": "d", "d": ""}
    assert shortest_path("a", "d", lambda vertex: graph[vertex]) == ("a", "c", "d")


@given(GRAPHS, st.sampled_from("abcdef"))
def test_a_cycle_is_one_and_is_found_where_there_is_one(graph: dict[str, list[str]], start: str) -> None:
    reached = {start}
    for _ in graph:
        reached |= {after for before in reached for after in graph[before]}
    has_cycle = any(brute_force(graph, after, before) for before in reached for after in graph[before])
    if not has_cycle:
        with pytest.raises(ValueError, match=f"no cycle can be reached from {start}"):
            cycle_from(start, graph)
        return
    cycle = cycle_from(start, graph)
    assert len(set(cycle)) == len(cycle)
    assert all(after in graph[before] for before, after in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
