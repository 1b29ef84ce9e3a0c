"""A TensorRT network as plain data: its computation, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.record import record

Attributes = Mapping[str, Any]
"""The arguments of a layer besides its tensors, by TensorRT's names: enumerations by name, dims as tuples, weights as
arrays.
"""


@record
class NetworkTensor:
    """A tensor as the network declares it; -1 for a size that is only known at run time.

    `shape` is None if TensorRT does not know the number of axes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@record(eq=False)
class NetworkLayer:
    """One layer. Tensors are numbers of `wires` in the plan; an input that was left out is None."""

    name: str
    kind: str
    attributes: Attributes
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    node: str | None = None
    """The ONNX node from which the layer was made."""

    def __str__(self) -> str:
        made = f", made from the node `{self.node}`" if self.node is not None else ""
        return f"{self.kind.lower()} layer `{self.name}`{made}"


@record(eq=False)
class NetworkPlan:
    """A whole network. Its arrays are views of the memory of `owners`, which must live as long as the plan."""

    wires: tuple[NetworkTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[NetworkLayer, ...]
    owners: tuple[Any, ...] = ()

    def names(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        """Return the names of tensors by number."""
        return tuple(self.wires[number].name for number in numbers)
