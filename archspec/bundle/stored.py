"""Read the tensors of a safetensors file one by one, so that a check need not hold a model twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StoredArrays(Mapping[str, "NDArray[Any]"]):
    """Arrays by name; floats become float32, since NumPy has no bfloat16.

    Nothing is kept, not even an open file: pages read from a mapped file count as memory of the process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        names: list[str] = self._opened().keys()
        self._names = tuple(names)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        tensor = self._opened().get_tensor(name)
        array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
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
