"""What was measured while a bundle was built."""

from __future__ import annotations

from math import isinf
from typing import Literal

from pydantic import BaseModel, ConfigDict

from archspec.diagnostics import Collector
from archspec.model.ports import DTypeName

REPORT = "report.json"
TOLERANCE: dict[DTypeName, float] = {"float32": 1e-4, "float16": 5e-2, "bfloat16": 2e-1}
"""Largest difference allowed, as a share of the reference's largest value or of 1, whichever is more.

These tell another function from rounding; how far below them an artifact stays is in the report.
"""

Reference = Literal["module", "interpreter"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class OutputDifference(_Model):
    """One output: the largest absolute difference over all positions, and the reference's largest value.

    For an output that is not float: the share of elements that differ.
    """

    output: str
    largest: float
    scale: float

    def allowed(self, dtype: DTypeName) -> bool:
        """Whether this is rounding."""
        return self.largest <= TOLERANCE[dtype] * max(1.0, self.scale)


class ParityTrial(_Model):
    """One comparison on random inputs: the artifact against a reference, at sizes of the dims.

    The `module` is the emitted one in float32, the `interpreter` is NumPy in float64, straight from the formulas.
    """

    artifact: str
    dtype: DTypeName
    reference: Reference
    sizes: dict[str, int]
    seed: int
    differences: list[OutputDifference]

    def judge(self, found: Collector) -> None:
        """Collect E609 for every output that is further off than rounding."""
        for one in self.differences:
            if not one.allowed(self.dtype):
                where = f"in `{one.output}` at {', '.join(f'{name}={size}' for name, size in self.sizes.items())}"
                message = f"{self.artifact} differs from the {self.reference} by {one.largest:.3g} {where}"
                note = f"the largest value there is {one.scale:.3g}"
                if isinf(one.largest):
                    note = "a value there is not finite, or the shapes differ"
                found.error("E609", message, None, notes=[note])


class FindingEntry(_Model):
    """One claim of the spec about a network, how it was judged, and over how many runs."""

    claim: str
    status: Literal["holds", "violated", "not measured"]
    detail: str = ""
    trials: int = 0


class NetworkEntry(_Model):
    """The network that TensorRT compiled, as it was computed on the CPU: its layers by kind, and what held of it."""

    engine: str
    dtype: DTypeName
    digest: str
    layers: dict[str, int]
    findings: list[FindingEntry]


def network_of(engine: str) -> str:
    """What the report calls the network that an engine compiled, among artifacts."""
    return f"network of {engine}"


class Timing(_Model):
    """How long an artifact took on the host that built it: median of alternating runs at sizes of the dims."""

    artifact: str
    sizes: dict[str, int]
    milliseconds: float
    runs: int


class StageEntry(_Model):
    """One step of the build: seconds, and the most memory that its process held."""

    name: str
    seconds: float
    peak_bytes: int


class BundleReport(_Model):
    """Parity of each artifact that this host can run, and the bound that it was held to; what was left out, and why;
    what held of the networks behind engines that it cannot run; times; the steps of the build."""

    trials: list[ParityTrial]
    bounds: dict[DTypeName, float] = TOLERANCE
    skipped: list[str]
    networks: list[NetworkEntry] = []
    timings: list[Timing] = []
    stages: list[StageEntry]

    def milliseconds(self, artifact: str) -> float | None:
        """The measured time of an artifact; None where it was not timed."""
        return next((timing.milliseconds for timing in self.timings if timing.artifact == artifact), None)
