"""Putting definitions in an order in which each comes after those that it uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from archspec.ir.topology import cycle_from
from archspec.record import record


@record
class Order:
    """Names in order, those on a circle left out; and the circles, each as names that use the next one."""

    names: tuple[str, ...]
    circles: tuple[tuple[str, ...], ...]


def ordered(uses: Mapping[str, Iterable[str]]) -> Order:
    """Order names by what they use; otherwise the written order stays. Names that are not keys are passed over."""
    written = {name: number for number, name in enumerate(uses)}
    needs = {name: {one for one in used if one in written} for name, used in uses.items()}
    users: dict[str, list[str]] = {name: [] for name in needs}
    for name, used in needs.items():
        for one in used:
            users[one].append(name)
    waiting = {name: len(used) for name, used in needs.items()}
    ready = [written[name] for name, count in waiting.items() if count == 0]
    heapify(ready)
    names = list(written)
    order: list[str] = []
    circles: list[tuple[str, ...]] = []
    left = dict.fromkeys(names)
    while left:
        if not ready:
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
