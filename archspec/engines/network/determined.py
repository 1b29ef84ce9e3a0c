"""Which layers the shapes of the inputs alone determine: their results are kept from one run to the next."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.engines.network.plan import NetworkLayer, NetworkPlan

_SIZES = {
    "SHUFFLE": (1,),
    "SLICE": (1, 2, 3, 5),
    "FILL": (0,),
    "RESIZE": (1, 2),
    "ONE_HOT": (2,),
    "TOPK": (1,),
    "SQUEEZE": (1,),
    "UNSQUEEZE": (1,),
}
"""Which inputs of a kind tell the shape of its result by their values."""


def determined(plan: NetworkPlan) -> frozenset[int]:
    """Places of the steps whose results are the same for all inputs of the same shapes."""
    shapes, values = set(plan.inputs), set[int]()
    places = []
    for place, step in enumerate(plan.steps):
        inputs = [number for number in step.inputs if number is not None]
        known_shape = step.kind != "NON_ZERO" and shapes.issuperset(inputs) and values.issuperset(_sizes(step))
        if known_shape:
            shapes.update(step.outputs)
        if known_shape and (step.kind == "SHAPE" or values.issuperset(inputs)):
            values.update(step.outputs)
            places.append(place)
    return frozenset(places)


def _sizes(step: NetworkLayer) -> Iterator[int]:
    for index in _SIZES.get(step.kind, ()):
        number = step.inputs[index] if index < len(step.inputs) else None
        if number is not None:
            yield number
