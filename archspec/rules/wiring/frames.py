"""Executions of regions, and where a value is made among them."""

from __future__ import annotations

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.record import record


@record(kw_only=False)
class RegionRun:
    """One execution of a region: its node in the enclosing frame, and the layer if the node is a repeat."""

    node: Node
    around: RegionRun | None
    layer: int | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers of all enclosing repeats, outermost first."""
        outer = () if self.around is None else self.around.layers
        return outer if self.layer is None else (*outer, self.layer)


State = tuple[Value, "RegionRun | None", int]
"""A position of a value in a frame; None is the top of the graph."""


def maker(value: Value, frame: RegionRun | None) -> tuple[Value, RegionRun | None]:
    """The value as it was made: through outputs of modules and layers, and out of regions through their inputs."""
    while True:
        region = None if frame is None else _region(frame)
        if region is not None and value in region.inputs:
            assert frame is not None
            value, frame = _outward(frame, region.inputs.index(value))
        elif value.producer is not None and value.producer.regions:
            value, frame = _inward(value, value.producer, frame)
        else:
            break
    return value, frame


def _region(frame: RegionRun) -> Graph:
    """The region that a frame executes."""
    op = frame.node.op
    return frame.node.regions[op.schedule[frame.layer] if isinstance(op, Repeat) and frame.layer is not None else 0]


def _outward(frame: RegionRun, number: int) -> tuple[Value, RegionRun | None]:
    """The value that an input of a frame's region is, in the enclosing frame or in the layer before."""
    if isinstance(frame.node.op, Repeat) and number == 0 and frame.layer:
        before = RegionRun(frame.node, frame.around, frame.layer - 1)
        return _region(before).outputs[0], before
    # Layer 0 takes the carried value from outside, as all layers take captured ones.
    return frame.node.inputs[number], frame.around


def _inward(value: Value, node: Node, frame: RegionRun | None) -> tuple[Value, RegionRun | None]:
    """The region output that an output of a node with regions is, and the frame of its region."""
    if isinstance(node.op, Call):
        return node.regions[0].outputs[value.index], RegionRun(node, frame)
    assert isinstance(node.op, Repeat)
    layer, output = len(node.op.schedule) - 1, 0
    if value.index:
        tap = node.op.taps[value.index - 1]
        layer, output = tap.layer, tap.output
    inner = RegionRun(node, frame, layer)
    return _region(inner).outputs[output], inner


def path_of(node: Node, frame: RegionRun | None) -> str:
    """The path of a node with the indices of the layers that it runs in."""
    path = node.path
    for layer in () if frame is None else frame.layers:
        # One `*` for each enclosing repeat, the outermost first.
        path = path.replace("*", str(layer), 1)
    return path
