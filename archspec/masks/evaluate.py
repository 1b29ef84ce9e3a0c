"""Masks in NumPy: the reference for the emitted code and for the relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from archspec.masks.leaf import Pairs
from archspec.masks.mask import Mask
from archspec.masks.walk import fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def evaluate(mask: Mask, queries: int, keys: int, controls: Sequence[Array], sizes: Mapping[str, int]) -> NDArray[Any]:
    """Which keys each query may attend to.

    Args:
        mask: the mask.
        queries: the number of queries.
        keys: the number of keys.
        controls: control n is bool or integer [..., positions], for a prefix [...], for a given mask
            [batch or 1, 1, queries or 1, keys] and its `keep`.
        sizes: the run-time sizes that windows and prefixes depend on.

    Returns:
        bool [..., queries, keys]: the leading axes of the controls broadcast, none where no control has any.
    """
    import numpy as np

    at = Pairs(i=np.arange(queries)[:, None], j=np.arange(keys), controls=controls, sizes=sizes)
    allowed = fold(
        mask,
        lambda leaf: leaf.evaluate(at),
        lambda terms: reduce(np.logical_and, terms),
        lambda terms: reduce(np.logical_or, terms),
    )
    return np.broadcast_to(allowed, np.broadcast_shapes(allowed.shape, (queries, keys)))
