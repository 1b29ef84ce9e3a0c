"""What generation calls to compute steps: the emitted module, or an artifact that was built from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from archspec.ir.types import TensorType


class StepRunner(Protocol):
    """Computes the output at only the new positions, from a cache that it makes and that others only pass on.

    `types` are those of the inputs that each step is fed, by name; `selects` says that rows can be taken out of a
    cache.
    """

    @property
    def types(self) -> Mapping[str, TensorType]: ...
    @property
    def selects(self) -> bool: ...

    def new_cache(self, rows: int, capacity: int, tensors: Mapping[str, Tensor]) -> Any:
        """An empty cache for rows of at most `capacity` positions, from the inputs that are given once, by name."""
        ...

    def sizes(self, cache: Any, new: int) -> dict[str, int]:
        """The sizes of the dims of positions at a step of `new` positions."""
        ...

    def step(self, tensors: Mapping[str, Tensor], cache: Any, counts: Tensor) -> tuple[Tensor, Any]:
        """Logits [rows, vocab] at each row's last new position, and the cache after it.

        Args:
            tensors: the fed inputs by name, [rows, new, ...].
            cache: what earlier steps kept; its buffers may be written in place.
            counts: int64 [rows], how many of the new positions are the row's own, the first ones.
        """
        ...

    def selected(self, cache: Any, places: Tensor) -> Any:
        """The cache of some of its rows, by their places."""
        ...

    def at(self, cache: Any, past: Sequence[int]) -> Any:
        """The cache with another number of positions that each row has had: 0 for a row that begins anew."""
        ...

    def entered(self, cache: Any, part: Any, rows: Sequence[int]) -> Any:
        """The cache whose `rows` have what was made once for the first rows of another cache, and is given once."""
        ...
