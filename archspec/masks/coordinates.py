"""Where the indices of a mask are among the coordinates of an output and an input."""

from __future__ import annotations

from typing import Literal

from archspec.record import record
from archspec.relation.forms import Place

MaskSide = Literal["query", "key"]


@record
class Coordinates:
    """Where the indices of a mask are among the coordinates of an output and an input.

    `query` and `key` are the places of the positions, flat where an axis has factors; with `apart`, positions are not
    compared. `out_leading` and `in_leading` index the leading axes of controls, which the controls in `plain` do not
    have. `first` is the operand number of control 0. `loose` are the controls without a place on a side: constraints by
    them are left out, which widens the relation.
    """

    query: tuple[Place, ...]
    key: tuple[Place, ...]
    out_leading: tuple[Place, ...] = ()
    in_leading: tuple[Place, ...] = ()
    first: int = 0
    apart: bool = False
    plain: frozenset[int] = frozenset()
    loose: frozenset[tuple[int, MaskSide]] = frozenset()

    def leading(self, control: int, side: MaskSide) -> tuple[Place, ...]:
        """The places of a control's leading axes on one side; empty for a control without any."""
        if control in self.plain:
            return ()
        return self.out_leading if side == "query" else self.in_leading

    def indices(self, control: int, side: MaskSide) -> tuple[Place, ...]:
        """The places on one side that index a control over leading axes and positions."""
        return (*self.leading(control, side), *(self.query if side == "query" else self.key))
