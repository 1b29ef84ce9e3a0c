"""The interface between the contract and what runs in steps: a module's cached step, an engine's, a graph's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from archspec.model.runner import Array, Arrays


class Steps(Protocol):
    """Computes the output at only the new positions, from a state that it keeps of earlier ones.

    States are opaque: each is given to one method once, so that buffers may be written in place.
    """

    def start(self, rows: int, capacity: int, given: Arrays) -> Any:
        """The state of rows that have had no positions.

        Args:
            rows: the number of rows.
            capacity: the maximum number of positions of a row.
            given: the inputs that no step feeds, by name.
        """
        ...

    def step(self, state: Any, fed: Arrays, counts: Array) -> tuple[Array, Any]:
        """Run new positions.

        Args:
            state: what earlier steps left.
            fed: the inputs that steps feed, by name, [rows, new, ...]. Behind a row's own entries they are random.
            counts: int64 [rows], how many of the new entries are the row's own, the first ones; 0 for a row at rest.

        Returns:
            the output at the last of each row's own new positions, [rows, ...], and the state after it. The output of
            a row at rest means nothing.
        """
        ...

    def restart(self, state: Any, rows: Sequence[int], given: Arrays) -> Any:
        """The state in which some rows have had no positions, and read other memory; the others go on.

        Args:
            state: what earlier steps left.
            rows: the numbers of the rows that begin again. What they left in buffers may stay there.
            given: as in `start`, for all rows: only the entries of `rows` have changed.

        Returns:
            the state; None where rows cannot begin again: slots are not tested then, and the state is as it was.
        """
        ...


@runtime_checkable
class Peeking(Steps, Protocol):
    """Steps whose output can be computed at any new position, so that none between two steps goes unseen."""

    def peek(self, state: Any, fed: Arrays, counts: Array, places: Array) -> Array:
        """The output at one new position of each row.

        Args:
            state: what earlier steps left; it stays as it is.
            fed: as in `step`.
            counts: as in `step`.
            places: int64 [rows], which of the new positions.

        Returns:
            the output [rows, ...].
        """
        ...
