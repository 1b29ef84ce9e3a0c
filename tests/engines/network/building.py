"""Small networks, built directly with TensorRT's interface, and run on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from archspec.engines.network.execution import Execution, Precision
from archspec.engines.network.plan import NetworkPlan
from archspec.engines.network.reading import read_network

trt = pytest.importorskip("tensorrt_rtx")

Array = np.ndarray
DTYPES = {
    np.dtype("float32"): trt.float32,
    np.dtype("float16"): trt.float16,
    np.dtype("int32"): trt.int32,
    np.dtype("int64"): trt.int64,
    np.dtype("bool"): trt.bool,
}


class Made:
    """A network that is being built. Inputs have dynamic axes, so that nothing is told by their declared shapes."""

    def __init__(self) -> None:
        self.logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
        self.builder = trt.Builder(self.logger)
        self.network = self.builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        self.given: dict[str, torch.Tensor] = {}
        self.kept: list[Array] = []

    def input(self, array: Array, static: bool = False) -> Any:
        """An input with a value."""
        name = f"x{len(self.given)}"
        self.given[name] = torch.from_numpy(np.array(array, order="C"))
        shape = array.shape if static else (-1,) * array.ndim
        return self.network.add_input(name, DTYPES[array.dtype], shape)

    def constant(self, array: Array) -> Any:
        """A tensor that the network holds."""
        self.kept.append(np.array(array, order="C"))
        shape = array.shape
        return self.network.add_constant(shape, trt.Weights(self.kept[-1])).get_output(0)

    def weights(self, array: Array) -> Any:
        """Weights of a layer."""
        self.kept.append(np.array(array, order="C"))
        return trt.Weights(self.kept[-1])

    def plan(self, *results: Any) -> NetworkPlan:
        """The plan that gives some tensors."""
        for number, result in enumerate(results):
            result.name = f"y{number}"
            self.network.mark_output(result)
        return read_network(trt, self.network, self)

    def run(self, *results: Any, precision: Precision = "declared") -> list[Array]:
        """The values of some tensors, by way of a plan."""
        found = Execution(self.plan(*results), precision).run(self.given)
        return [
            found[f"y{number}"].float().numpy()
            if found[f"y{number}"].dtype == torch.bfloat16
            else found[f"y{number}"].numpy()
            for number in range(len(results))
        ]


def computed(build: Callable[..., Any], *inputs: Array, static: bool = False) -> Array:
    """What one layer gives: `build` makes it from the network and its input tensors."""
    made = Made()
    tensors = [made.input(array, static) for array in inputs]
    layer = build(made.network, *tensors)
    assert layer is not None
    (found,) = made.run(layer.get_output(0))
    return found


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
