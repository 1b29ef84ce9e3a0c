"""Colours of steps: two have one colour where they are made alike of what is alike, and are read alike.

Parameters have no names here: a colour tells structure alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from archspec.diff.flat import FlatBody, Slot, Step

Kinds = Mapping[Step, Hashable]
"""What each step is, without what it reads."""
Colours = Mapping[Step, Hashable]


def colours(body: FlatBody, inputs: Mapping[Slot, Hashable], kinds: Kinds) -> Colours:
    """The colour of each step, where values from outside have those of `inputs`."""
    up: dict[Slot, Hashable] = dict(inputs)
    for step in body.steps:
        made = hash((kinds[step], *(up.get(slot) for slot in step.inputs)))
        up.update((slot, hash((made, number))) for number, slot in enumerate(step.outputs))
    down: dict[Slot, list[int]] = {}
    for number, slot in enumerate(body.outputs):
        down.setdefault(slot, []).append(hash(("output", number)))
    found: dict[Step, Hashable] = {}
    for step in reversed(body.steps):
        read = hash(tuple(tuple(sorted(down.get(slot, ()))) for slot in step.outputs))
        for number, slot in enumerate(step.inputs):
            down.setdefault(slot, []).append(hash((kinds[step], number, read)))
        found[step] = (kinds[step], *(up.get(slot) for slot in step.inputs), read)
    return found
