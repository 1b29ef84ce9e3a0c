"""Whether a mask may leave a query without any key."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.masks.leaf import Padding, Place
from archspec.masks.mask import Mask
from archspec.masks.walk import fold

_PLACES: tuple[Place, ...] = ("own", "first", "last", "some")


def may_leave_row_empty(mask: Mask, promises: Sequence[Padding | None] = ()) -> bool:
    """False where every query has a key at all sizes, for every value of the controls that keeps its promise.

    `promises[n]` is the padding that control n promises: `right` leaves key 0 valid, `left` the last key, None
    nothing (so does a missing entry). A row is safe where one key serves all rows: their own position, the first or the
    last; or where a mask made elsewhere gives each row some key, and nothing else restricts it.
    """
    return not any(_allowed(mask, key, promises) for key in _PLACES)


def _allowed(mask: Mask, key: Place, promises: Sequence[Padding | None]) -> bool:
    """Whether every query may see that key; two masks that give a row some key may give it two."""
    return fold(
        mask,
        lambda leaf: leaf.surely_allows(key, promises),
        lambda terms: key != "some" and all(terms),
        any,
    )
