"""The shortest path from an output position back to an input position, through modules and layers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.topology import shortest_path
from archspec.record import record
from archspec.rules.wiring.grid import Index, bits_of
from archspec.rules.wiring.wire import Wiring
from archspec.rules.wiring.world import World

if TYPE_CHECKING:
    from archspec.rules.wiring.replay import Replay


@record
class Witness:
    """Position `i` of the output reads position `j` of the input, which it must not (for a lower rule: does not, but
    must).

    `replay` runs the graph; it is None where nothing was run.
    """

    wiring: Wiring
    i: Index
    j: Index
    replay: Replay | None = None

    @property
    def world(self) -> World:
        """The sizes, and the values of the controls."""
        return self.wiring.world


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


Real = Callable[[Node, int, int, Value, int], bool]
"""Whether a change of one operand of a node at a position changes one of its outputs at a position."""


@record
class PathStep:
    """One primitive on the path: position `at` of its output reads position `reads` of `operand`.

    `path` names the node, with the indices of its layers.
    """

    node: Node
    path: str
    at: Index
    reads: Index
    operand: Value


def shortest(witness: Witness, output: Value, source: Value) -> tuple[PathStep, ...]:
    """The steps from the output to the input; empty where they are one value.

    A path whose every step a replay confirms is preferred to one by declared reads.
    """
    return way(witness, output, source) or _way(witness, output, source, lambda node, place, other, made, bit: True)


def way(witness: Witness, output: Value, source: Value) -> tuple[PathStep, ...]:
    """The shortest path of steps that a replay confirms one by one; empty where there is none, or nothing is run."""
    if witness.replay is None:
        return ()
    return _way(witness, output, source, witness.replay.reads)


def reaching(replay: Replay, i: Index) -> Callable[[Index], bool]:
    """A test for positions of the source: whether steps that a replay confirms lead to one from position i."""
    wiring, grid, source = replay.wiring, replay.wiring.grid(replay.source), _origin(replay.source, None)
    start: State = (*_origin(replay.output, None), wiring.grid(replay.output).bit(i))
    known, waiting = {start}, deque([start])

    def reached(j: Index) -> bool:
        goal = (*source, grid.bit(j))
        # The search is breadth first, stops at the goal, and goes on from there for the next one.
        while goal not in known and waiting:
            for _, after in _steps(wiring, waiting.popleft(), replay.reads, known):
                known.add(after)
                waiting.append(after)
        # That a position is itself confirms no step.
        return goal in known and goal != start

    return reached


def _way(witness: Witness, output: Value, source: Value, real: Real) -> tuple[PathStep, ...]:
    """The shortest path over the steps that `real` accepts; empty where there is none."""
    wiring = witness.wiring
    start: State = (*_origin(output, None), wiring.grid(output).bit(witness.i))
    goal: State = (*_origin(source, None), wiring.grid(source).bit(witness.j))
    taken: dict[State, PathStep] = {}
    known = {start}

    def neighbours(state: State) -> Iterator[State]:
        for step, after in _steps(wiring, state, real, known):
            # The search returns states; the step by which one is reached first is the one that is shown.
            known.add(after)
            taken[after] = step
            yield after

    path = shortest_path(start, goal, neighbours) or ()
    return tuple(taken[state] for state in path[1:])


def _steps(wiring: Wiring, state: State, real: Real, known: Container[State]) -> Iterator[tuple[PathStep, State]]:
    """What a position reads and is not known yet, where its value is made by a primitive."""
    made, frame, bit = state
    node = made.producer
    # What the rule holds fixed is the same in both runs: no change comes through it.
    if node is None or not isinstance(node.op, Primitive) or wiring.reads.is_fixed(made):
        return
    for place, operand in enumerate(node.inputs):
        table = wiring.table(node, made.index, place)
        outer, around = _origin(operand, frame)
        for other in bits_of(table.row(bit)) if table is not None else ():
            # A replay of the node is the most expensive question, and comes last.
            if (outer, around, other) in known or not real(node, place, other, made, bit):
                continue
            step = PathStep(
                node=node,
                path=path_of(node, frame),
                at=wiring.grid(made).index(bit),
                reads=wiring.grid(operand).index(other),
                operand=operand,
            )
            yield step, (outer, around, other)


def _origin(value: Value, frame: RegionRun | None) -> tuple[Value, RegionRun | None]:
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
