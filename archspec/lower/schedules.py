"""Short source of lists that follow the schedule of a repeat."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import groupby

from archspec.ir.repeat import Schedule

_RUN = 3


def by_schedule(schedule: Schedule, items: Mapping[int, ast.expr]) -> ast.expr:
    """Source of a list with one item per layer, such as `[a] + [b, c] * 5 + [d]`.

    Args:
        schedule: the number of the body of each layer.
        items: the item of each body, by number.
    """
    start, repeat, end = (_list(part, items) for part in (schedule.start, schedule.repeat, schedule.end))
    parts = []
    if schedule.start:
        parts.append(start)
    if schedule.repeat and schedule.times:
        times = schedule.times
        parts.append(repeat if times == 1 else ast.BinOp(repeat, ast.Mult(), ast.Constant(times)))
    if schedule.end:
        parts.append(end)
    joined = parts[0] if parts else _list((), items)
    for part in parts[1:]:
        joined = ast.BinOp(joined, ast.Add(), part)
    return joined


def _list(bodies: Sequence[int], items: Mapping[int, ast.expr]) -> ast.expr:
    """A list of items, in which one that stands at least `_RUN` times in a row is written once: `[a] * 5 + [b]`."""
    runs = [(body, len(list(run))) for body, run in groupby(bodies)]
    parts: list[ast.expr] = []
    for body, times in runs:
        if times >= _RUN:
            parts.append(ast.BinOp(ast.List([items[body]]), ast.Mult(), ast.Constant(times)))
        elif parts and isinstance(parts[-1], ast.List):
            parts[-1].elts += [items[body]] * times
        else:
            parts.append(ast.List([items[body]] * times))
    return reduce(lambda all, part: ast.BinOp(all, ast.Add(), part), parts) if parts else ast.List([])
