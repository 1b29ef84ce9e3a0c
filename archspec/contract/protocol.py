"""What the contract asks of an artifact: named inputs, named outputs, and a way from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from archspec.record import record

Array = NDArray[Any]
Arrays = Mapping[str, Array]


class Runner(Protocol):
    """A module, an ONNX session, an engine, a lowered network: whatever computes outputs from inputs."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        ...

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """Outputs by name. Raises SpecError where the artifact fails on these inputs."""
        ...


@record
class FunctionRunner:
    """A function on arrays by name."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: Callable[[Arrays], Mapping[str, Array]]

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """What the function gives."""
        return dict(self.function(arrays))


@record
class Subject:
    """What is judged: a runner, and where there is one the same model in float64, which tells a leak from rounding."""

    name: str
    runner: Runner
    exact: Runner | None = None
