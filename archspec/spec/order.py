"""Order definitions so that each comes after those that it uses (topological sort)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from archspec.ir.topology import cycle_from
from archspec.record import record


@record
class Order:
    """The names in order without those on a cycle, and the cycles, each as names of which each uses the next."""

    names: tuple[str, ...]
    circles: tuple[tuple[str, ...], ...]


def ordered(uses: Mapping[str, Iterable[str]]) -> Order:
    """Order names so that each comes after those that it uses; otherwise the order of `uses` is kept.

    Used names that are not keys of `uses` are ignored. Names that use a cycle are ordered as if it were done.
    """
    written = {name: number for number, name in enumerate(uses)}
    needs = {name: {one for one in used if one in written} for name, used in uses.items()}
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, used in needs.items():
        for one in used:
            users[one].append(name)
    waiting = {name: len(used) for name, used in needs.items()}
    ready = [written[name] for name, count in waiting.items() if count == 0]
    # The heap holds written positions, so that of the names that are ready the first written comes first.
    heapify(ready)
    names = list(written)
    order: list[str] = []
    circles: list[tuple[str, ...]] = []
    left = dict.fromkeys(names)
    while left:
        if not ready:
            # Nothing is ready, so each name that is left uses another: following these from any one ends in a cycle.
            circle = cycle_from(next(iter(left)), {name: sorted(needs[name] & left.keys()) for name in left})
            circles.append(circle)
            done: Iterable[str] = circle
        else:
            name = names[heappop(ready)]
            order.append(name)
            done = (name,)
        for name in done:
            left.pop(name)
        for user in (user for name in done for user in users[name] if user in left):
            waiting[user] -= 1
            if waiting[user] == 0:
                heappush(ready, written[user])
    return Order(names=tuple(order), circles=tuple(circles))
