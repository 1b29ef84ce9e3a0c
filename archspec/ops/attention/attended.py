"""How attention moves with its queries, keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim
from archspec.ir.motion import Everywhere, Lost, Motion, Moves, Still, lost
from archspec.ir.moving import APART, CUT, first, gathered, joined
from archspec.ir.types import TensorType
from archspec.masks.atom import MaskAtom
from archspec.masks.coordinates import Coordinates
from archspec.masks.leaf import Leaf
from archspec.masks.mask import Mask
from archspec.masks.relation import relation
from archspec.masks.walk import leaves
from archspec.record import record
from archspec.relation.atoms import Atom

DISTANCE = "masks by the distance of positions, which does not wrap around"
HELD = "masks by values that do not move"
BIASED = "changes its scores by values that do not move with them"
TURNS = "turns queries and keys by angles of their positions"


@record
class Score:
    """An operand that changes the scores: its motion, and whether it differs from query to query, from key to key."""

    motion: Motion
    by_query: bool
    by_key: bool

    @property
    def is_level(self) -> bool:
        """Whether it is one still number for all pairs."""
        return isinstance(self.motion, Still) and not (self.by_query or self.by_key)

    @property
    def is_relative(self) -> bool:
        """Whether it is still, and differs by the difference of positions alone."""
        return self.is_level or (isinstance(self.motion, Still) and self.motion.relative)


@record
class Attended:
    """The motions of the operands of an attention, whose positions are axis 2; controls have theirs as last axis."""

    mask: Mask
    query: Motion
    key: Motion
    value: Motion
    scores: Sequence[Score]
    controls: Sequence[Motion]

    def motion(self) -> Motion:
        """The motion of what is attended, by the positions of the queries."""
        given = (self.query, self.key, self.value, *(one.motion for one in self.scores), *self.controls)
        # An operand that is read everywhere or not understood decides for all: nothing better is known of the result.
        unknown = first(given, Everywhere) or first(given, Lost)
        if unknown is not None:
            return unknown
        if first(given, Moves) is None:
            return Still()
        if any(isinstance(one, Moves) and one.axis != 2 for one in given[:3]):
            return lost("moves along an axis that is not that of its positions")
        if not all(isinstance(leaf, MaskAtom) for leaf in leaves(self.mask)):
            return lost("masks by what is computed elsewhere")
        keys = self._keys()
        if isinstance(keys, Lost):
            return keys
        return self._of_queries() if keys is None else self._of_both(keys)

    def _keys(self) -> Moves | Lost | None:
        """The motion of keys and values together; None if both are still."""
        key, value = self.key, self.value
        if isinstance(key, Still) and isinstance(value, Still):
            return None
        if not (isinstance(key, Moves) and isinstance(value, Moves) and key.goes_with(value)):
            return lost(APART)
        if value.angles is not None:
            return lost("turns values by angles of their positions")
        return replace(joined(key, replace(value, angles=key.angles)), angles=key.angles)

    def _of_queries(self) -> Motion:
        """The motion where the queries move alone: each is asked of the same keys."""
        if not isinstance(self.query, Moves):
            return lost(APART)
        query = self.query
        # Scores depend on differences of positions, and these change where the queries move and the keys do not.
        if query.angles is not None:
            query = replace(query.breaks(TURNS), angles=None)
        if any(not isinstance(one.motion, Still) or one.by_query for one in self.scores):
            query = query.breaks(BIASED)
        if any(leaf.by_query for leaf in leaves(self.mask)) or first(self.controls, Moves) is not None:
            query = query.breaks(HELD)
        return query

    def _of_both(self, keys: Moves) -> Motion:
        """The motion where keys move, and with them the queries or not."""
        query = self.query if isinstance(self.query, Moves) else None
        if query is not None and not query.goes_with(keys):
            return lost(APART)
        if not keys.move.circular:
            return self._in_line(query, keys)
        if keys.broken is not None:
            return Lost(why=keys.broken)
        trouble = self._against_cycles(query, keys)
        if trouble is not None:
            return lost(trouble)
        # The keys of a row are the same ones in another order.
        around = gathered(keys)
        return around if query is None or isinstance(around, Lost) else query

    def _against_cycles(self, query: Moves | None, keys: Moves) -> str | None:
        """The reason why attention does not move cyclically with its keys; None if it does."""
        if keys.angles is not None or (query is not None and query.angles is not None):
            return f"{TURNS}, which do not wrap around"
        if not all(one.is_level for one in self.scores):
            return BIASED
        for leaf in leaves(self.mask):
            if leaf.controls():
                # A control that is read at still queries would have to be still there.
                if leaf.absolute or not self._moves_with(leaf, keys) or (query is None and leaf.by_query):
                    return HELD
            elif leaf.by_query or leaf.by_key:
                return DISTANCE
        return None

    def _moves_with(self, leaf: Leaf, keys: Moves) -> bool:
        """Whether all controls of a leaf move with the keys."""
        found = [self.controls[number] for number in leaf.controls()]
        return all(isinstance(one, Moves) and one.broken is None and one.goes_with(keys) for one in found)

    def _in_line(self, query: Moves | None, keys: Moves) -> Motion:
        """The motion along a line, within a window of keys; without a window everything is read."""
        behind, ahead = window(self.mask)
        if query is None or behind is None or ahead is None:
            return Everywhere()
        if not keys.is_alone:
            return lost("has a window over an axis that holds more than what moves")
        for one in self.controls:
            keys = joined(keys, replace(one, axis=2, angles=keys.angles)) if isinstance(one, Moves) else keys
        found = joined(query, keys)
        if not all(one.is_relative for one in self.scores):
            found = found.breaks(BIASED)
        if any(leaf.absolute or (leaf.controls() and not self._moves_with(leaf, keys)) for leaf in leaves(self.mask)):
            found = found.breaks(HELD)
        # A window that reaches over the end of what moves meets something else there.
        if (behind > 0 and not keys.ends[0]) or (ahead > 0 and not keys.ends[1]):
            found = found.breaks(CUT)
        # Query i sees keys from `i - behind` to `i + ahead`.
        low, high = keys.low - keys.span * behind, keys.high + keys.span * ahead
        return replace(found, low=min(query.low, low), high=max(query.high, high), angles=None)


def score(motion: Motion, type_: TensorType) -> Score:
    """The motion of an operand that changes the scores, over its own axes."""

    def differs(axis: int) -> bool:
        level = isinstance(motion, Still) and axis in motion.level
        return axis >= 0 and type_.shape[axis] != 1 and not level

    return Score(motion=motion, by_query=differs(type_.rank - 2), by_key=differs(type_.rank - 1))


def control(motion: Motion, type_: TensorType) -> Motion:
    """The motion of a control, lost where it is not along its positions."""
    if isinstance(motion, Moves) and motion.axis != type_.rank - 1:
        return lost("masks by values that move along another axis")
    return motion


def window(mask: Mask) -> tuple[int | None, int | None]:
    """How far a query may see at most before and after its own position; None where no fixed number bounds it."""
    ends = [_ends(atom) for atom in relation(mask, Coordinates(query=(0,), key=(1,))).atoms]
    behind, ahead = [0], [0]
    for most, least in ends:
        behind += [] if most is None else [most]
        ahead += [] if least is None else [-least]
    # One alternative without a bound leaves all of them without it.
    return (
        None if any(most is None for most, _ in ends) else max(behind),
        None if any(least is None for _, least in ends) else max(ahead),
    )


def _ends(atom: Atom) -> tuple[int | None, int | None]:
    """The largest and the least distance of a key before its query."""
    found = next((one for one in atom.differences if (one.out, one.inp) == (0, 1)), None)
    return (None, None) if found is None else (_number(found.hi), _number(found.lo))


def _number(size: Dim | None) -> int | None:
    return None if size is None else size.constant
