"""What the contract asks of an artifact: named inputs, named outputs, and a way from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from archspec.model.runner import Array, Arrays, Runner
from archspec.record import record


class Differentiable(Protocol):
    """A model whose gradients can be had."""

    def dependence(
        self, arrays: Arrays, source: tuple[str, Sequence[int]], result: tuple[str, Sequence[int]], seed: int
    ) -> Array | None:
        """Which output positions depend on which input positions, in some row: bool [outputs, inputs].

        `source` is an input with the axes that number its positions, `result` an output. None where no gradient
        reaches the input.
        """
        ...


@record
class Precision:
    """What a model computes in, and how far it may be from the interpreter, as a share of the largest value or 1.

    `exact` is how far its float64 twin may be, as a share of the largest value or `least`: what the model's own
    numbers, rounded as they are stored, explain.
    What moves by less than `faint` may be lost in it.
    """

    name: str = "float32"
    parity: float = 1e-5
    exact: float = 1e-9
    least: float = 1.0
    faint: float = 1e-6

    @property
    def is_half(self) -> bool:
        """Whether what is small beside the rest may be rounded away."""
        return self.name != "float32"


TOLERANCE = 1e-5
"""What may move where nothing tells a leak from rounding (no float64 run, no bits that stay), as a share of the largest
value or 1."""


@record
class Subject:
    """What is judged: a runner; the same model in float64, which tells a leak from rounding; and its gradients.

    `is_still` says that outputs stay bit for bit where what they depend on stays: then whatever moves is a leak. Else
    what moves by less than `tolerance` may be rounding.
    `twin` computes the same in float64, in another way: it tells what a runner cannot show from what it lost.
    `loud` gives the same model in float64 with parameters so large that its scores outweigh a bias that stands for a
    mask. A subject made of it `is_loud`: where it is not finite it shows nothing.
    """

    name: str
    runner: Runner
    exact: Runner | None = None
    gradients: Callable[[], Differentiable | None] | None = None
    precision: Precision = Precision()
    is_still: bool = False
    tolerance: float = TOLERANCE
    twin: Runner | None = None
    loud: Callable[[], Iterable[Runner]] | None = None
    is_loud: bool = False
