"""The shortest path from an output position back to an input position, through modules and layers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from typing import TYPE_CHECKING

from archspec.ir.graph import Node, Value
from archspec.ir.op import Primitive
from archspec.ir.topology import shortest_path
from archspec.record import record
from archspec.rules.wiring.between import Near, between
from archspec.rules.wiring.frames import State, maker, path_of
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
    wiring, grid, source = replay.wiring, replay.wiring.grid(replay.source), maker(replay.source, None)
    start: State = (*maker(replay.output, None), wiring.grid(replay.output).bit(i))
    known, waiting = {start}, deque([start])

    def reached(j: Index) -> bool:
        goal = (*source, grid.bit(j))
        # Most ways that are declared are real: then nothing else is run.
        if goal not in known and _directly(wiring, start, goal, replay.reads):
            return True
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
    start: State = (*maker(output, None), wiring.grid(output).bit(witness.i))
    goal: State = (*maker(source, None), wiring.grid(source).bit(witness.j))
    return _directly(wiring, start, goal, real) or _searched(wiring, start, goal, real)


def _directly(wiring: Wiring, start: State, goal: State, real: Real) -> tuple[PathStep, ...]:
    """The shortest path if it is as short as declared reads allow; empty otherwise.

    Only steps between states of such paths are asked about, so that it is the path that a search of all would find.
    """
    near = between(wiring, start, goal)
    return () if near is None else _searched(wiring, start, goal, real, near)


def _searched(
    wiring: Wiring, start: State, goal: State, real: Real, near: Sequence[Near] | None = None
) -> tuple[PathStep, ...]:
    """The shortest path over the steps that `real` accepts, one step from each of the sets `near` to the next."""
    taken: dict[State, PathStep] = {}
    known, depths = {start}, {start: 0}

    def neighbours(state: State) -> Iterator[State]:
        depth = depths[state] + 1
        among = None if near is None else near[depth] if depth < len(near) else {}
        for step, after in _steps(wiring, state, real, known, among):
            # The search returns states; the step by which one is reached first is the one that is shown.
            known.add(after)
            depths[after], taken[after] = depth, step
            yield after

    path = shortest_path(start, goal, neighbours) or ()
    return tuple(taken[state] for state in path[1:])


def _steps(
    wiring: Wiring, state: State, real: Real, known: Container[State], among: Near | None = None
) -> Iterator[tuple[PathStep, State]]:
    """What a position reads and is not known yet, where its value is made by a primitive."""
    made, frame, bit = state
    node = made.producer
    # What the rule holds fixed is the same in both runs: no change comes through it.
    if node is None or not isinstance(node.op, Primitive) or wiring.reads.is_fixed(made):
        return
    for place, operand in enumerate(node.inputs):
        table = wiring.table(node, made.index, place)
        outer, around = maker(operand, frame)
        read = 0 if table is None else table.row(bit)
        for other in bits_of(read if among is None else read & among.get((outer, around), 0)):
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
