"""The inputs that grow with the generated sequence, as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archspec.decoding.plan import GenerationPlan
from archspec.decoding.rows import RowBlock
from archspec.ir.types import DType, TensorType
from archspec.model.ports import sizes_of
from archspec.record import record

_DTYPES = {DType.INT64: torch.int64, DType.INT32: torch.int32, DType.BOOL: torch.bool}


@record(eq=False)
class Feeding:
    """Makes the tensors that the module is fed at a step, on a device, floats in a dtype."""

    plan: GenerationPlan
    device: torch.device
    dtype: torch.dtype

    def tensors(self, block: RowBlock, types: Mapping[str, TensorType], sizes: Mapping[str, int]) -> dict[str, Tensor]:
        """The fed-back input and the other growing inputs, by name.

        Args:
            block: the ids of each row, with their validity and position numbers.
            types: the types of the inputs that are read; others are left out.
            sizes: the size of each dim of these types.
        """
        growing = self.plan.growing
        arrays: dict[str, Any] = {
            self.plan.decode.input: block.ids,
            **dict.fromkeys(growing.positions, block.positions),
        }
        if growing.valid is not None:
            arrays[growing.valid] = block.valid
        found = {
            name: torch.from_numpy(array).to(self.device, self.dtype_of(name))
            for name, array in arrays.items()
            if name in types
        }
        for name in growing.constant:
            if name in types:
                found[name] = self._constant(name, types[name], sizes)
        return found

    def tensor(self, array: Any) -> Tensor:
        """An input that stays the same, as a tensor."""
        # torch takes no array with negative strides, which a slice may have.
        found = torch.from_numpy(np.ascontiguousarray(array))
        return found.to(self.device, self.dtype if found.is_floating_point() else None)

    def _constant(self, name: str, type: TensorType, sizes: Mapping[str, int]) -> Tensor:
        fill = self.plan.spec.inputs[name].default
        # `growing` raises SpecError E745 for such an input without a default.
        assert fill is not None
        shape = tuple(size.value(sizes) for size in type.shape)
        return torch.full(shape, fill, dtype=self.dtype_of(name), device=self.device)

    def dtype_of(self, name: str) -> torch.dtype:
        """The dtype in which an input of the spec is fed."""
        return _DTYPES.get(self.plan.spec.inputs[name].type.dtype, self.dtype)

    def sizes(self, given: Mapping[str, Tensor]) -> dict[str, int]:
        """The size of each dim: that of an axis of a given input that consists of the dim alone, else the typical."""
        return sizes_of(self.plan.interface, given)
