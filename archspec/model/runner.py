"""The interface of whatever computes named outputs from named inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from archspec.record import record

Array = NDArray[Any]
Arrays = Mapping[str, Array]


class Runner(Protocol):
    """Anything that maps named inputs to outputs: a module, an artifact, a lowered network, a third-party model."""

    def run(self, arrays: Arrays, /) -> dict[str, Array]:
        """Compute the outputs.

        Args:
            arrays: all inputs by name, in the dtypes and shapes that the interface gives.

        Returns:
            the outputs by name.

        Raises:
            SpecError: where the model fails on these inputs.
        """
        ...


@runtime_checkable
class Watched(Protocol):
    """A runner that can observe which operations its model calls."""

    def trains_a_batch_norm(self, arrays: Arrays) -> bool:
        """Whether a batch norm computes its statistics from these inputs. Raises SpecError as `run` does."""
        ...


@record
class FunctionRunner:
    """A Python function on arrays by name, as a runner."""

    function: Callable[[Arrays], Mapping[str, Array]]

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """What the function returns."""
        return dict(self.function(arrays))
