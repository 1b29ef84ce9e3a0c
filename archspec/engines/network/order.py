"""Order layers so that each follows those that it reads; networks do not always list them that way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.diagnostics import fail
from archspec.engines.network.plan import NetworkLayer


def ordered(steps: Sequence[NetworkLayer]) -> tuple[NetworkLayer, ...]:
    """Return the steps in the listed order, moved only behind those that they read.

    Raises SpecError E620 for a loop.
    """
    makers = {number: place for place, step in enumerate(steps) for number in step.outputs}
    done: dict[int, None] = {}
    for place in range(len(steps)):
        _place(place, steps, makers, done)
    return tuple(steps[place] for place in done)


def _place(start: int, steps: Sequence[NetworkLayer], makers: dict[int, int], done: dict[int, None]) -> None:
    """Place a step after everything it needs; iteratively, since chains can be longer than the recursion limit."""
    waiting = [start]
    open_: set[int] = set()
    while waiting:
        place = waiting[-1]
        missing = [one for one in _needs(steps[place], makers) if one not in done]
        if place in done or not missing:
            done.setdefault(place)
            open_.discard(place)
            waiting.pop()
            continue
        # Reached again through its own inputs, before they were done.
        if place in open_:
            fail("E620", f"the {steps[place]} cannot be computed here: it is part of a loop", None)
        open_.add(place)
        # Reversed: the last of a stack is taken first, and listed order is kept.
        waiting += reversed(missing)


def _needs(step: NetworkLayer, makers: dict[int, int]) -> Iterator[int]:
    """Return the steps that produce the inputs of a step."""
    return (makers[number] for number in step.inputs if number in makers)
