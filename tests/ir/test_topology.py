"""Cycles, shortest paths and cheapest cuts against brute force."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from archspec.ir.topology import cheapest_cut, cycle_from, shortest_path

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


# What a vertex is made from comes before it in the alphabet, so that there is no cycle.
MADE = st.fixed_dictionaries(
    {
        letter: st.lists(st.sampled_from("abcdef"[:number]), max_size=3)
        for number, letter in enumerate("abcdef")
        if number
    }
)
COSTS = st.fixed_dictionaries({letter: st.integers(1, 9) for letter in "abcdef"})


def cuts(cut: frozenset[str], wanted: str, before: dict[str, list[str]]) -> bool:
    """Whether no wanted vertex is reached from one with nothing before it."""
    open_ = [vertex for vertex in wanted if vertex not in cut]
    for vertex in open_:
        operands = before.get(vertex, [])
        if not operands:
            return False
        open_ += [one for one in operands if one not in cut]
    return True


@given(MADE, COSTS, st.sets(st.sampled_from("abcdef"), min_size=1))
def test_no_cut_is_cheaper(before: dict[str, list[str]], costs: dict[str, int], chosen: set[str]) -> None:
    wanted = "".join(sorted(chosen))
    found = cheapest_cut(wanted, before, costs.__getitem__)
    assert cuts(found, wanted, before)
    every = (frozenset(one) for size in range(7) for one in combinations("abcdef", size))
    least = min(sum(map(costs.__getitem__, one)) for one in every if cuts(one, wanted, before))
    assert sum(map(costs.__getitem__, found)) == least


def test_of_equal_cuts_the_nearest_is_taken() -> None:
    before = {"d": ["c"], "c": ["b"], "b": ["a"]}
    assert cheapest_cut("d", before, lambda vertex: 1) == {"d"}
    assert cheapest_cut("d", before, {"a": 2, "b": 1, "c": 1, "d": 2}.__getitem__) == {"c"}
