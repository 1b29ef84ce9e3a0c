"""Witnesses against `affine`: runs of the graph in which the effect of a change of the input depends on an input."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING
from zlib import crc32

from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.record import record
from archspec.rules.measure import Measured
from archspec.rules.reads import Reads
from archspec.rules.second import corners, largest_at, second_difference
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.replay import Changed, Replay
from archspec.rules.wiring.wire import Wiring
from archspec.rules.wiring.world import World
from archspec.rules.wiring.worlds import small_sizes, worlds
from archspec.spec import Rule, Spec

if TYPE_CHECKING:
    from archspec.ir.op import Array

_TRIALS = 3
ROUNDING = 1e-9
"""The largest second difference in float64 that may be rounding, relative to the largest value or to 1."""


@record
class Curved:
    """An output position whose second difference is not zero: its size, relative to the largest value or to 1.

    `by_others` says that inputs other than the rule's own changed the effect.
    """

    at: tuple[int, ...]
    size: float
    by_others: bool
    world: World


def curved(spec: Spec, rule: Rule, reads: Reads) -> Curved | None:
    """The first second difference that is not zero, at small sizes with random weights; None where there is none.

    Raises UnmeasurableError where the positions of the rule depend on its own input.
    """
    cells, tried = Cells(spec.graph, reads), list(islice(worlds(spec, reads.terms, small_sizes(spec)), _TRIALS))
    for trial in range(_TRIALS):
        # Where the inputs have no controls there is one world, and the trials differ in the weights alone.
        world, other = tried[trial % len(tried)], tried[(trial + 1) % len(tried)]
        replay = Replay(spec, Wiring(spec.graph, reads, cells, world), rule.output, rule.input)
        if not replay.possible:
            return None
        found = _Runs(rule, replay, other).curved(trial)
        if found is not None:
            return found
    return None


class _Runs:
    """Runs of the graph in one world, and with the other inputs taken from another one."""

    def __init__(self, rule: Rule, replay: Replay, other: World) -> None:
        self.rule, self.replay, self.other = rule, replay, other

    def curved(self, trial: int) -> Curved | None:
        """The second difference of one trial that is not zero."""
        import numpy as np

        plain = _Drawn(self, trial, None, is_other=False)
        plain.run()
        if plain.found is None or plain.source is None:
            return None
        first, second = (np.random.default_rng((trial, n)).normal(size=plain.source.shape) for n in (1, 2))
        for by_others, runs in corners(plain.source, first, second):
            results = [_Drawn(self, trial, values, is_other=is_other).run() for values, is_other in runs]
            known = [result for result in results if result is not None]
            about = [self._measured(self.replay.world), *([self._measured(self.other)] if by_others else ())]
            at, size = largest_at(second_difference(self.rule, known, about))
            if size > ROUNDING:
                return Curved(at=at, size=size, by_others=by_others, world=self.replay.world)
        return None

    def _measured(self, world: World) -> Measured:
        """The inputs of a world that are not floats, which tell the positions that a rule is about."""
        import numpy as np

        arrays = {
            value.name: np.asarray(
                world.inputs[value.name].items, dtype=bool if value.type.dtype is DType.BOOL else np.int64
            ).reshape(world.inputs[value.name].shape)
            for value in self.replay.spec.graph.inputs
            if value.name in world.inputs
        }
        return Measured(arrays=arrays, sizes=world.sizes)


class _Drawn(Changed):
    """A run with given values of the source, and with the other inputs as they are or with others."""

    def __init__(self, runs: _Runs, trial: int, values: Array | None, *, is_other: bool) -> None:
        super().__init__(runs.replay, trial, values)
        self.world, self.is_other = runs.other if is_other else runs.replay.world, is_other

    def input(self, value: Value) -> Array:
        """Noise that is seeded by the name and by whether it is another input; else the world's value."""
        import numpy as np

        shape = tuple(size.value(self.sizes) for size in value.type.shape)
        if value.type.dtype is DType.FLOAT:
            return np.random.default_rng((crc32(value.name.encode()), self.trial, self.is_other)).normal(size=shape)
        kept = bool if value.type.dtype is DType.BOOL else np.int64
        return np.asarray(self.world.inputs[value.name].items, dtype=kept).reshape(shape)
