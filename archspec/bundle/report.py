"""The measurements taken while a bundle was built."""

from __future__ import annotations

from math import isinf
from typing import Literal

from pydantic import BaseModel, ConfigDict

from archspec.diagnostics import Collector
from archspec.model.ports import DTypeName

REPORT = "report.json"
TOLERANCE: dict[DTypeName, float] = {"float32": 1e-4, "float16": 5e-2, "bfloat16": 2e-1}
"""The largest allowed difference, relative to the reference's largest value or to 1, whichever is larger.

A larger difference means another function, not rounding; the report states the actual difference.
"""

Reference = Literal["module", "interpreter", "original"]


class _Model(BaseModel):
    """A strict record of the report: unknown keys and converted types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class OutputDifference(_Model):
    """The largest absolute difference of one output over all positions, and the largest value of the reference.

    For an output that is not float, `largest` is the share of elements that differ. Of a decoder's step, both are those
    of one position, and `place` says which if the difference is too large. `rounding` is how far the emitted module, in
    the precision of the artifact, is itself from the reference at that position, relative to its largest value or to 1;
    it is known where the same step, computed in float64, equals the reference. Of a model that rounds what it computes,
    it is what numbers half-way between two of a grid explain; 0 where there are none.
    """

    output: str
    largest: float
    scale: float
    place: str = ""
    rounding: float = 0.0

    def bound(self, dtype: DTypeName) -> float:
        """The largest difference that rounding in this dtype explains."""
        return max(TOLERANCE[dtype], self.rounding) * max(1.0, self.scale)

    def allowed(self, dtype: DTypeName) -> bool:
        """Whether the difference is within the tolerance for rounding in this dtype."""
        return self.largest <= self.bound(dtype)


class ParityTrial(_Model):
    """One comparison: the artifact with a reference, at sizes of the dims.

    The `module` is the emitted one in float32, the `interpreter` is NumPy in float64, straight from the formulas; both
    are given random inputs under `seed`. The `original` is what the weights come from, on inputs that were given.
    """

    artifact: str
    dtype: DTypeName
    reference: Reference
    sizes: dict[str, int]
    seed: int | None = None
    differences: list[OutputDifference]

    def judge(self, found: Collector) -> None:
        """Add E609 for every output that differs by more than rounding."""
        for one in self.differences:
            if not one.allowed(self.dtype):
                where = f"in `{one.output}` at {', '.join(f'{name}={size}' for name, size in self.sizes.items())}"
                message = f"{self.artifact} differs from the {self.reference} by {one.largest:.3g} {where}"
                note = f"the largest value there is {one.scale:.3g}"
                if isinf(one.largest):
                    note = "a value there is not finite, or the shapes differ"
                found.error("E609", message, None, notes=[note, *([one.place] if one.place else [])])


class FindingEntry(_Model):
    """One claim of the spec about a network, its status, and the number of runs behind it."""

    claim: str
    status: Literal["holds", "violated", "not measured"]
    detail: str = ""
    trials: int = 0


class NetworkEntry(_Model):
    """The network that TensorRT compiled, as computed on the CPU: its layers by kind, and what was found about it."""

    engine: str
    dtype: DTypeName
    digest: str
    layers: dict[str, int]
    findings: list[FindingEntry]


def network_of(engine: str) -> str:
    """Return the name of the network of an engine in the report."""
    return f"network of {engine}"


def ranks_of(target: object, ranks: int) -> str:
    """Return the name of the artifacts of all ranks of a target in the report."""
    return f"{ranks} ranks of {target}"


def step_of(target: object) -> str:
    """Return the name of the built step of a target in the report."""
    return f"step of {target}"


class Timing(_Model):
    """The median time of an artifact on the host that built it, in alternating runs at sizes of the dims."""

    artifact: str
    sizes: dict[str, int]
    milliseconds: float
    runs: int


class StageEntry(_Model):
    """One step of the build: its time in seconds, and the peak memory of its process in bytes."""

    name: str
    seconds: float
    peak_bytes: int


class BundleReport(_Model):
    """Parity of each artifact that this host can run, with the bounds; findings, times and steps of the build.

    `skipped` names what was not compared, and why; `networks` has what was found about the networks behind engines that
    are checked on the CPU.
    """

    trials: list[ParityTrial]
    bounds: dict[DTypeName, float] = TOLERANCE
    skipped: list[str]
    networks: list[NetworkEntry] = []
    timings: list[Timing] = []
    stages: list[StageEntry]

    def milliseconds(self, artifact: str) -> float | None:
        """Return the measured time of an artifact, None if it was not timed."""
        return next((timing.milliseconds for timing in self.timings if timing.artifact == artifact), None)
