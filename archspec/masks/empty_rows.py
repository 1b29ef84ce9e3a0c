"""Whether a mask may leave a query without any key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from archspec.algebra.dim import compare
from archspec.masks.mask import All, And, Causal, Given, KeyValid, Last, Mask, Or, Prefix, SameSegment, Within

Padding = Literal["right", "left"]
_Place = Literal["own", "first", "last", "some"]


def may_leave_row_empty(mask: Mask, promises: Sequence[Padding | None] = ()) -> bool:
    """False where every query has a key at all sizes, for every value of the controls that keeps its promise.

    `promises[n]` is the padding that control n promises: `right` leaves key 0 valid, `left` the last key, None
    nothing (so does a missing entry). A row is safe where one key serves all rows: their own position, the first or the
    last; or where a mask made elsewhere gives each row some key, and nothing else restricts it.
    """
    return not any(_allows(mask, key, promises) for key in ("own", "first", "last", "some"))


def _allows(mask: Mask, key: _Place, promises: Sequence[Padding | None]) -> bool:
    """Whether every query may see that key."""
    match mask:
        case All():
            return True
        case And(terms=terms):
            return key != "some" and all(_allows(term, key, promises) for term in terms)
        case Or(terms=terms):
            return any(_allows(term, key, promises) for term in terms)
        case Causal():
            return key in ("own", "first")
        case SameSegment():
            return key == "own"
        case Last(count=count):
            return key == "own" and compare(count, ">=", 1) is True
        case Within(distance=distance):
            return key == "own" and compare(distance, ">=", 0) is True
        case KeyValid(control=control):
            promise = promises[control] if control < len(promises) else None
            return (key, promise) in (("first", "right"), ("last", "left"))
        case Prefix(length=length):
            return key == "first" and length is not None and compare(length, ">=", 1) is True
        case Given(keep=keep):
            return key == "some" and keep is None
        case _:
            return False
