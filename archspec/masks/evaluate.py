"""Masks in NumPy: the oracle for the emitted code and for the relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from archspec.masks.mask import And, Causal, Given, KeyValid, Last, Mask, Or, Prefix, SameSegment, Within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def evaluate(mask: Mask, queries: int, keys: int, controls: Sequence[Array], sizes: Mapping[str, int]) -> NDArray[Any]:
    """Which keys each query may attend to.

    `controls[n]` is control n: bool or integer [..., keys], for a prefix [...]; a given mask [batch or 1, 1, queries
    or 1, keys] and its `keep`. `sizes` are the run-time sizes that windows and prefixes depend on.
    Returns bool [..., queries, keys]: the leading axes of the controls broadcast, and none where no control has any.
    """
    import numpy as np

    allowed = _evaluate(mask, np.arange(queries)[:, None], np.arange(keys), controls, sizes)
    return np.broadcast_to(allowed, np.broadcast_shapes(allowed.shape, (queries, keys)))


def _evaluate(mask: Mask, i: Array, j: Array, controls: Sequence[Array], sizes: Mapping[str, int]) -> Array:
    import numpy as np

    match mask:
        case And(terms=terms):
            return reduce(np.logical_and, [_evaluate(term, i, j, controls, sizes) for term in terms])
        case Or(terms=terms):
            return reduce(np.logical_or, [_evaluate(term, i, j, controls, sizes) for term in terms])
        case Causal():
            return j <= i
        case Last(count=count):
            return (j <= i) & (j > i - count.value(sizes))
        case Within(distance=distance):
            return abs(i - j) <= distance.value(sizes)
        case KeyValid(control=control):
            return controls[control][..., None, :].astype(bool)
        case SameSegment(control=control):
            segments = controls[control]
            return np.equal(segments[..., :, None], segments[..., None, :])
        case Prefix(length=None, control=int(control)):
            return j < controls[control][..., None, None]
        case Prefix(length=length) if length is not None:
            return j < length.value(sizes)
        case Given(control=control, keep=keep):
            given = controls[control][:, 0]
            return given if keep is None else given & controls[keep][:, 0]
        case _:
            return np.ones((1, 1), dtype=bool)
