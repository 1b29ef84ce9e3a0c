"""A counterexample to a rule: a world and two positions in it."""

from __future__ import annotations

from archspec.record import record
from archspec.rules.wiring.grid import Index
from archspec.rules.wiring.replay import Replay
from archspec.rules.wiring.wire import Wiring
from archspec.rules.wiring.world import World


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
