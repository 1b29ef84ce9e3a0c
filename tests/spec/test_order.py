from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from archspec.spec.order import ordered

NAMES = "abcdefg"


@given(st.dictionaries(st.sampled_from(NAMES), st.frozensets(st.sampled_from(NAMES), max_size=3)))
def test_each_name_comes_after_those_that_it_uses_and_circles_are_circles(uses: dict[str, frozenset[str]]) -> None:
    order = ordered(uses)
    on_circles = {name for circle in order.circles for name in circle}
    assert set(order.names) | on_circles == set(uses)
    assert not set(order.names) & on_circles
    assert len(order.names) == len(set(order.names))
    for place, name in enumerate(order.names):
        assert all(used in order.names[:place] or used in on_circles for used in uses[name] if used in uses)
    for circle in order.circles:
        assert all(following in uses[name] for name, following in zip(circle, (*circle[1:], circle[0]), strict=True))
    edges = nx.DiGraph([(name, used) for name, used_names in uses.items() for used in used_names if used in uses])
    assert bool(order.circles) == (not nx.is_directed_acyclic_graph(edges))


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_the_written_order_stays_where_nothing_forces_another(names: list[str]) -> None:
    assert ordered(dict.fromkeys(names, ())).names == tuple(names)


def test_a_long_chain_needs_no_deep_stack() -> None:
    uses = {f"n{number}": [f"n{number + 1}"] for number in range(20_000)}
    assert ordered(uses).names[0] == "n19999"
