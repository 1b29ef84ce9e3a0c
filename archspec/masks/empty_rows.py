"""Whether a mask may leave a query without any key.

Softmax over no keys is undefined; here such rows give zeros, which costs an extra operand.
"""

from __future__ import annotations

from collections.abc import Sequence

from archspec.masks.leaf import Padding, Place
from archspec.masks.mask import Mask
from archspec.masks.walk import fold

_PLACES: tuple[Place, ...] = ("own", "first", "last", "some")


def may_leave_row_empty(mask: Mask, promises: Sequence[Padding | None] = ()) -> bool:
    """False where every query has a key at all sizes, for all values of the controls that keep their promises.

    `promises[n]` is the padding that control n promises: `right` leaves key 0 valid, `left` the last key, None nothing
    (nor does a missing entry). The proof finds one key that serves every row: its own position, the first or the last;
    or a mask made elsewhere that gives each row some key and that nothing restricts. True means "not proved".
    """
    return not any(_allowed(mask, key, promises) for key in _PLACES)


def _allowed(mask: Mask, key: Place, promises: Sequence[Padding | None]) -> bool:
    """Whether every query may see that key."""
    return fold(
        mask,
        lambda leaf: leaf.surely_allows(key, promises),
        # Two masks that each give a row some key may give it different ones, so their conjunction may be empty.
        lambda terms: key != "some" and all(terms),
        any,
    )
