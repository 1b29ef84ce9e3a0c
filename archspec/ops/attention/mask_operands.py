"""The operands that a mask reads: checks that they fit, and which of their positions an output depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import aligned, places
from archspec.ir.op import ShapeError
from archspec.ir.placement import Copied, Placement, Shard
from archspec.ir.types import Axis, DType, TensorType, axis
from archspec.masks import examples
from archspec.masks.at_positions import AtPositions
from archspec.masks.atom import MaskAtom
from archspec.masks.coordinates import Coordinates, MaskSide
from archspec.masks.entail import normal
from archspec.masks.given import Given
from archspec.masks.leaf import ControlUse, Leaf
from archspec.masks.mask import Mask
from archspec.masks.relation import decisive, relation
from archspec.masks.walk import compares_positions, controls, leaves
from archspec.record import record
from archspec.relation.atoms import NOTHING, Relation
from archspec.relation.meet import meet

ONE = Dim.of(1)


@record
class MaskOperands:
    """A mask with the types of its controls; `first` is the operand number of control 0."""

    mask: Mask
    types: Sequence[TensorType]
    first: int

    def check(self, batch: Axis, queries: Axis, keys: Axis) -> None:
        """Raise ShapeError if a control is missing or does not fit, or if positions of unequal axes are compared."""
        if compares_positions(self.mask) and compare(queries.size, "==", keys.size) is not True:
            raise ShapeError(
                f"the mask compares query and key positions, but their axes are {queries} and {keys}", (0, 1)
            )
        missing = [number for number in controls(self.mask) if number >= len(self.types)]
        if missing:
            raise ShapeError(f"the mask reads control {missing[0]}, but there are {len(self.types)}")
        self._check_leaves(self.mask, batch, queries, keys)

    def _check_leaves(self, mask: Mask, batch: Axis, queries: Axis, keys: Axis) -> None:
        """Raise ShapeError if a control of a leaf does not fit."""
        for leaf in leaves(mask):
            match leaf:
                case MaskAtom():
                    for use in leaf.uses():
                        self._fits(use, batch, queries if use.at[:1] == ("query",) else keys)
                case AtPositions(mask=inner, queries=at, keys=of):
                    self._fits(_positions(at, "query"), batch, queries)
                    self._fits(_positions(of, "key"), batch, keys)
                    self._check_leaves(inner, batch, queries, keys)
                case Given(control=control, keep=keep):
                    self._is_mask(control, (batch, queries, keys))
                    if keep is not None:
                        self._is_mask(keep, (batch, queries, axis(1)))
                case _:
                    raise TypeError(f"unknown leaf of a mask: {leaf!r}")

    def _fits(self, use: ControlUse, batch: Axis, positions: Axis) -> None:
        """Check that a control has all expected axes, or all but the first. Raises ShapeError."""
        found, axes = self.types[use.control], (batch, positions) if use.at else (batch,)
        wanted = [a.size for a in (axes if found.rank == len(axes) else axes[1:])]
        if found.dtype not in use.dtypes or not _equal(found.shape, wanted):
            shape = ", ".join(str(a) for a in axes)
            raise ShapeError(
                f"the mask needs {use.dtypes[0]}[{shape}], with or without the first axis, got {found}",
                (self.first + use.control,),
            )

    def _is_mask(self, control: int, axes: tuple[Axis, Axis, Axis]) -> None:
        """Raise ShapeError unless a precomputed mask is bool and broadcasts to [batch, 1, queries, keys]."""
        found = self.types[control]
        sizes = [axes[0].size, ONE, axes[1].size, axes[2].size]
        fits = found.dtype == DType.BOOL and found.rank == 4 and _broadcasts(found.shape, sizes)
        if not fits or compare(found.shape[3], "==", sizes[3]) is not True:
            expected = f"bool[{', '.join(map(str, sizes))}]"
            raise ShapeError(f"a precomputed mask must be {expected}, got {found}", (self.first + control,))

    def uses(self) -> Iterator[ControlUse]:
        """How the leaves of the mask read the controls."""
        yield from _uses(self.mask)

    def batch(self) -> Axis:
        """The leading axis of the first control that has one, otherwise an axis of size 1."""
        for number in controls(self.mask):
            if not self.is_plain(number):
                return self.types[number].axes[0]
        return axis(1)

    def by_rows(self) -> list[Placement]:
        """Where the controls are if the rows of the batch are parted."""
        over = [not self.is_plain(number) and type_.shape[:1] != (ONE,) for number, type_ in enumerate(self.types)]
        return [Shard(0) if has else Copied() for has in over]

    def along(self, side: MaskSide, parted: Dim, keys: Dim) -> list[Placement] | None:
        """Where the controls are if queries or keys are parted; None if the mask cannot be made for a part of them.

        Args:
            side: what is parted.
            parted: the size of its axis.
            keys: the number of keys.
        """
        found = list(leaves(self.mask))
        if normal(self.mask).kernel != "full":
            # Positions are counted from the first one, which is that of another rank.
            if any(leaf.compares or leaf.measures != "nothing" for leaf in found):
                return None
            # A mask that no key decides is repeated for every key, by their number.
            repeats = not any(leaf.by_key for leaf in found)
            if repeats and (side == "key" or keys.symbols() & parted.symbols()):
                return None
        places = [self._place(number, side) for number in range(len(self.types))]
        known = [place for place in places if place is not None]
        return known if len(known) == len(places) else None

    def sizes(self, keys: Dim) -> tuple[Dim, ...]:
        """The sizes that the source of the mask has in it."""
        found = list(leaves(self.mask))
        counts = any(leaf.measures != "nothing" for leaf in found) or not any(leaf.by_key for leaf in found)
        return (*((keys,) if counts else ()), *(size for leaf in found for size in leaf.sizes()))

    def _place(self, control: int, side: MaskSide) -> Placement | None:
        """Where a control is if queries or keys are parted; None if it is read both at queries and at keys."""
        type_ = self.types[control]
        if any(isinstance(leaf, Given) and control in leaf.controls() for leaf in leaves(self.mask)):
            axis = _AXES[side]
            return Copied() if type_.shape[axis] == 1 else Shard(axis)
        sides = {at for use in self.uses() if use.control == control for at in use.at}
        if len(sides) > 1:
            return None
        return Shard(type_.rank - 1) if side in sides else Copied()

    def is_plain(self, control: int) -> bool:
        """Whether a control has no leading axis."""
        own = [1 if use.at else 0 for use in self.uses() if use.control == control]
        return bool(own) and self.types[control].rank == own[0]

    def allowed(self, out: TensorType, query: int, inp: TensorType, key: int, *, batched: bool = True) -> Relation:
        """The mask as a relation between axis `query` of the output and axis `key` of an input.

        Axis 0 of both is the batch; an input that is not `batched` has none.
        """
        return relation(self.mask, self._places(out, query, inp, key, batched=batched))

    def reads(self, out: TensorType, query: int, control: int) -> Relation:
        """The positions of a control that an output restricted by the mask depends on, whatever the control holds.

        Axis 0 of the output is the batch, axis `query` the queries.
        """
        found, result = self.types[control], NOTHING
        for leaf in leaves(self.mask):
            match leaf:
                case MaskAtom():
                    for use in leaf.uses():
                        if use.control == control:
                            result |= self._use(use, out, query)
                # A precomputed mask is read at every key of the query.
                case Given() if control in leaf.controls():
                    result |= _same(out, found, [(0, 0), (query, 2)])
                case AtPositions():
                    for use in _uses(leaf):
                        if use.control == control:
                            result |= self._use(use, out, query)
                case Given():
                    pass
                case _:
                    raise TypeError(f"unknown leaf of a mask: {leaf!r}")
        return result

    def _use(self, use: ControlUse, out: TensorType, query: int) -> Relation:
        """The position of the query, every key that may decide, or for a control without positions all of its row."""
        found, result = self.types[use.control], NOTHING
        own = [] if self.is_plain(use.control) else [(0, 0)]
        if not use.at:
            return _same(out, found, own)
        if "query" in use.at:
            result |= _same(out, found, [*own, (query, found.rank - 1)])
        if "key" in use.at:
            result |= meet(_same(out, found, own), self._structure(out, query, use.control))
        return result

    def _structure(self, out: TensorType, query: int, control: int) -> Relation:
        """The keys at which the value of the control may decide the result of the mask."""
        found = self.types[control]
        places = self._places(out, query, found, found.rank - 1, batched=not self.is_plain(control))
        return decisive(self.mask, partial(_reads_keys, control), self.first + control, places)

    def direct(self, out: TensorType, control: int) -> Relation:
        """The positions of a control that a mask [batch or 1, 1, queries or 1, keys] reads: those of the same pair."""
        found, result = self.types[control], NOTHING
        own = [] if self.is_plain(control) else [(0, 0)]
        for use in self.uses():
            if use.control == control:
                places = [(_AXES[side], found.rank - 1) for side in use.at]
                for place in places:
                    result |= aligned(out, found, [*own, place])
                result |= NOTHING if places else aligned(out, found, own)
        return result

    def _places(self, out: TensorType, query: int, inp: TensorType, key: int, batched: bool) -> Coordinates:
        """The coordinates of queries, keys and batch rows that the relation of a mask is about."""
        left, right = places(out), places(inp)
        plain = frozenset(number for number in controls(self.mask) if self.is_plain(number))
        # Of a plain operand no row is known, so a control that has rows has no place on its side.
        rows = {use.control for use in self.uses()} - plain
        return Coordinates(
            query=(left[query],),
            key=(right[key],),
            out_leading=(left[0],),
            in_leading=(right[0],) if batched else (),
            first=self.first,
            plain=plain,
            loose=frozenset((number, "key") for number in rows if not batched),
        )


_AXES: Mapping[MaskSide, int] = {"query": 2, "key": 3}
"""The axes of a precomputed mask."""


def _reads_keys(control: int, leaf: Leaf) -> bool:
    """Whether a leaf of the mask reads a control at the position of the key."""
    return any(use.control == control and "key" in use.at for use in _uses(leaf))


def _uses(mask: Mask) -> Iterator[ControlUse]:
    """How the leaves of a mask read controls, those of masks over given positions included."""
    for leaf in leaves(mask):
        match leaf:
            case MaskAtom():
                yield from leaf.uses()
            case AtPositions(mask=inner, queries=queries, keys=keys):
                yield _positions(queries, "query")
                yield _positions(keys, "key")
                yield from _uses(inner)


def _positions(control: int, side: MaskSide) -> ControlUse:
    """The use of a control as positions of queries or keys."""
    return ControlUse(control=control, dtypes=(DType.INT64,), at=(side,), example=examples.segments)


def _same(out: TensorType, inp: TensorType, axes: Sequence[tuple[int, int]]) -> Relation:
    """The relation of equal positions along those axes that are not broadcast."""
    return aligned(out, inp, [(o, i) for o, i in axes if inp.axes[i].size != 1])


def _equal(left: Sequence[Dim], right: Sequence[Dim]) -> bool:
    return len(left) == len(right) and all(compare(a, "==", b) is True for a, b in zip(left, right, strict=True))


def _broadcasts(found: Sequence[Dim], sizes: Sequence[Dim]) -> bool:
    """Whether every size equals the expected one or is 1."""
    return all(compare(size, "==", wanted) is True or size == 1 for size, wanted in zip(found, sizes, strict=True))
