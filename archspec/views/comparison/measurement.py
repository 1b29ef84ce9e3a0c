"""What was measured of a spec that is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.contract.shifted import Deviation
from archspec.record import record
from archspec.views.comparison.stages import ModelStage

if TYPE_CHECKING:
    from archspec.model.runner import Array

ROUNDING = 1e-4
"""The largest deviation in float32 that may be rounding, relative to the largest value."""


@record(eq=False)
class EffectiveField:
    """The share of gradient energy at each position of the input, for one position of a stage.

    `position` is that of the stage, by axis, `centre` the middle of its field in positions of the input, and `shares`
    the part of the energy within r of it along every axis, by r.
    """

    stage: ModelStage
    position: tuple[int, ...]
    centre: tuple[float, ...]
    energy: Array
    shares: Array

    def radius(self, share: float) -> int:
        """The smallest r within which a share of the energy is."""
        # Sums of shares may end just below 1, which must not cost a step.
        return int((self.shares < share - 1e-12).sum())


@record(eq=False)
class Measurement:
    """What was measured of one spec.

    `output` is how far its output is from where it should be after each move, `another` how far it is on another input,
    and `stages` the same for each stage, by its number; `axis` is the axis along which the input moved. `weights` names
    the checkpoint; it is empty for fresh parameters.
    """

    axis: int
    output: tuple[Deviation, ...]
    another: float
    stages: Mapping[int, tuple[Deviation, ...]]
    effective: EffectiveField | None
    weights: str
