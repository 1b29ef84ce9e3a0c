"""What computes named outputs from named inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from archspec.record import record

Array = NDArray[Any]
Arrays = Mapping[str, Array]


class Runner(Protocol):
    """A module, an opened artifact, a lowered network, a stranger's model: whatever computes outputs from inputs."""

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
    """A runner that sees which operations its model calls."""

    def trains_a_batch_norm(self, arrays: Arrays) -> bool:
        """Whether a batch norm takes its statistics from these inputs. Raises SpecError as `run` does."""
        ...


@record
class FunctionRunner:
    """A function on arrays by name, as a runner."""

    function: Callable[[Arrays], Mapping[str, Array]]

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """What the function returns."""
        return dict(self.function(arrays))
