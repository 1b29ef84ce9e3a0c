"""Find the layers whose results depend only on the shapes of the inputs, so that they can be kept between runs."""

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
"""By kind of layer, the inputs whose values determine the shape of the result."""


def determined(plan: NetworkPlan) -> frozenset[int]:
    """Return the positions of the steps whose results are the same for all inputs of the same shapes."""
    shapes, values = set(plan.inputs), set[int]()
    places = []
    for place, step in enumerate(plan.steps):
        inputs = [number for number in step.inputs if number is not None]
        # The shape of NON_ZERO depends on the values of its input.
        known_shape = step.kind != "NON_ZERO" and shapes.issuperset(inputs) and values.issuperset(_sizes(step))
        if known_shape:
            shapes.update(step.outputs)
        # The values of a shape layer are the shape of its input, whatever that contains.
        if known_shape and (step.kind == "SHAPE" or values.issuperset(inputs)):
            values.update(step.outputs)
            places.append(place)
    return frozenset(places)


def _sizes(step: NetworkLayer) -> Iterator[int]:
    """Yield the inputs of a step whose values determine the shape of its result."""
    for index in _SIZES.get(step.kind, ()):
        number = step.inputs[index] if index < len(step.inputs) else None
        if number is not None:
            yield number
