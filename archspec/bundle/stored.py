"""Read the tensors of a safetensors file one by one, so that a check need not hold a model twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.engines.module import torch_dtype
from archspec.model.ports import DTypeName

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StoredArrays(Mapping[str, "NDArray[Any]"]):
    """Arrays by name; floats are rounded to `dtype` and become float32, since NumPy has no bfloat16.

    Nothing is kept, not even an open file: pages read from a mapped file count as memory of the process.
    """

    def __init__(self, path: Path, dtype: DTypeName = "float32") -> None:
        self._path = path
        self._dtype = dtype
        names: list[str] = self._opened().keys()
        self._names = tuple(names)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        tensor = self._opened().get_tensor(name)
        floats = tensor.is_floating_point()
        array: NDArray[Any] = (tensor.to(torch_dtype(self._dtype)).float() if floats else tensor).numpy()
        return array

    def _opened(self) -> Any:
        """Open the file again."""
        from safetensors import safe_open

        opener: Any = safe_open
        return opener(self._path, framework="pt")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
