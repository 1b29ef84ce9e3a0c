"""A network of TensorRT as plain data: what it computes, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.record import record

Attributes = Mapping[str, Any]
"""What a layer was given beside its tensors, by TensorRT's own names: enumerations by name, dims as tuples, weights as
arrays."""


@record
class NetworkTensor:
    """A tensor of the network as TensorRT declares it; -1 where a size is told only at run time."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None


@record(eq=False)
class NetworkLayer:
    """One layer. Tensors are numbers of wires; an input that was left out is None."""

    name: str
    kind: str
    attributes: Attributes
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    node: str | None = None
    """The ONNX node that the layer was made from."""

    def __str__(self) -> str:
        made = f", made from the node `{self.node}`" if self.node is not None else ""
        return f"{self.kind.lower()} layer `{self.name}`{made}"


@record(eq=False)
class NetworkPlan:
    """A whole network. Its arrays are views of the memory of `owners`, which live as long as the plan does."""

    wires: tuple[NetworkTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[NetworkLayer, ...]
    owners: tuple[Any, ...] = ()

    def names(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        """Names of some wires."""
        return tuple(self.wires[number].name for number in numbers)
