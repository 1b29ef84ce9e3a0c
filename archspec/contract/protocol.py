"""The interface between the contract and a model: a runner with named inputs and outputs, and optional helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from archspec.contract.steps import Steps
from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record

Positions = tuple[str, Sequence[int]]
"""The name of an input or output, and the axes that number its positions."""


@record
class Asked:
    """Numbers of output positions whose dependence is asked for.

    `is_spread` computes another one in every row of the batch: it costs fewer passes, but a dependence that only some
    rows show may be missed.
    """

    numbers: Sequence[int]
    is_spread: bool = False


class Differentiable(Protocol):
    """A model that can compute dependence by gradients."""

    def dependence(
        self, arrays: Arrays, source: Positions, result: Positions, seed: int, asked: Asked | None = None
    ) -> Array | None:
        """Which output positions depend on which input positions in at least one row.

        Args:
            arrays: inputs by name.
            source: an input, and the axes that number its positions.
            result: an output, and the axes that number its positions.
            seed: seed of what the method draws.
            asked: the output positions; all if None.

        Returns:
            bool [outputs, inputs]. None if no gradient reaches the input.
        """
        ...


@record
class Precision:
    """The precision a model computes in, and how far it may be from the interpreter.

    `parity` is the tolerance relative to the largest value or to 1. `exact` is the tolerance of its float64 twin,
    relative to the largest value or to `least`; it covers the rounding of the model's stored numbers. A dependence
    weaker than `faint` may be lost in this precision.
    """

    name: str = "float32"
    parity: float = 1e-5
    exact: float = 1e-9
    least: float = 1.0
    faint: float = 1e-6

    @property
    def is_half(self) -> bool:
        """Whether the precision is below float32, so that small contributions may be rounded away."""
        return self.name != "float32"


TOLERANCE = 1e-5
"""The largest allowed change where a leak cannot be distinguished from rounding (no float64 run, no bitwise equal
rows), relative to the largest value or to 1.
"""


@record
class Subject:
    """A model to be checked, with the helpers that are available for it.

    `runner` runs the model, `exact` the same model in float64, which separates leaks from rounding, and `gradients`
    measure dependence, each where those before it show none.
    `is_still` means that outputs stay the same bit for bit if what they depend on stays the same, so that every
    movement is a leak. Otherwise a movement below `tolerance` may be rounding.
    `twin` computes the same function in float64 by other means: it shows whether a dependence that the runner does not
    show is missing or was lost to rounding.
    `loud` returns runners of the model in float64 with parameters so large that attention scores outweigh a finite bias
    used in place of a mask. `is_loud` marks a subject made from one: values that are not finite are no evidence then.
    `steps` runs a decoder's model step by step with a cache, `exact_steps` its float64 twin.
    """

    name: str
    runner: Runner
    exact: Runner | None = None
    gradients: Sequence[Differentiable] = ()
    precision: Precision = Precision()
    is_still: bool = False
    tolerance: float = TOLERANCE
    twin: Runner | None = None
    loud: Callable[[], Iterable[Runner]] | None = None
    is_loud: bool = False
    steps: Steps | None = None
    exact_steps: Steps | None = None
