"""The operands that a mask reads: whether they fit, and which of their positions an output depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import aligned, coordinates
from archspec.ir.op import ShapeError
from archspec.ir.operands import BOOL, INTEGER
from archspec.ir.types import Axis, DType, TensorType, axis
from archspec.masks.mask import Given, KeyValid, Mask, Prefix, SameSegment
from archspec.masks.relation import Coordinates, relation
from archspec.masks.walk import compares_positions, controls, leaves
from archspec.record import record
from archspec.relation.atoms import NOTHING, Relation
from archspec.relation.erase import erase, mentions
from archspec.relation.meet import meet

ONE = Dim.of(1)


@record
class MaskOperands:
    """A mask with the types of its controls; `first` is the operand number of control 0."""

    mask: Mask
    types: Sequence[TensorType]
    first: int

    def check(self, batch: Axis, queries: Axis, keys: Axis) -> None:
        """Raise ShapeError where a control does not fit, or positions of unequal axes are compared."""
        if compares_positions(self.mask) and compare(queries.size, "==", keys.size) is not True:
            raise ShapeError(f"the mask compares positions of queries and keys, which are {queries} and {keys}", (0, 1))
        for leaf in leaves(self.mask):
            missing = [number for number in controls(leaf) if number >= len(self.types)]
            if missing:
                raise ShapeError(f"the mask reads control {missing[0]}, and there are {len(self.types)}")
            match leaf:
                case KeyValid(control=control):
                    self._fits(control, BOOL, (batch, keys))
                case SameSegment(control=control):
                    self._fits(control, INTEGER, (batch, keys))
                case Prefix(control=int(control)):
                    self._fits(control, INTEGER, (batch,))
                case Given(control=control, keep=keep):
                    self._is_mask(control, (batch, queries, keys))
                    if keep is not None:
                        self._is_mask(keep, (batch, queries, axis(1)))
                case _:
                    pass

    def _fits(self, control: int, dtypes: Sequence[DType], axes: tuple[Axis, ...]) -> None:
        """A control has all the axes, or all but the first of them."""
        found = self.types[control]
        wanted = [a.size for a in (axes if found.rank == len(axes) else axes[1:])]
        if found.dtype not in dtypes or not _equal(found.shape, wanted):
            shape = ", ".join(str(a) for a in axes)
            raise ShapeError(
                f"the mask needs {dtypes[0]}[{shape}], or without the first axis, got {found}", (self.first + control,)
            )

    def _is_mask(self, control: int, axes: tuple[Axis, Axis, Axis]) -> None:
        found = self.types[control]
        sizes = [axes[0].size, ONE, axes[1].size, axes[2].size]
        fits = found.dtype == DType.BOOL and found.rank == 4 and _broadcasts(found.shape, sizes)
        if not fits or compare(found.shape[3], "==", sizes[3]) is not True:
            raise ShapeError(f"a made mask is bool[{', '.join(map(str, sizes))}], got {found}", (self.first + control,))

    def batch(self) -> Axis:
        """The leading axis of the first control that has one, else an axis of size 1."""
        for number in controls(self.mask):
            if not self.is_plain(number):
                return self.types[number].axes[0]
        return axis(1)

    def is_plain(self, control: int) -> bool:
        """Whether a control has no leading axis."""
        prefix = any(isinstance(leaf, Prefix) and leaf.control == control for leaf in leaves(self.mask))
        return self.types[control].rank == (0 if prefix else 1)

    def allowed(self, out: TensorType, query: int, inp: TensorType, key: int) -> Relation:
        """The mask between axis `query` of the output and axis `key` of an input; axis 0 of both is the batch."""
        return relation(self.mask, self._places(out, query, inp, key, batched=True))

    def reads(self, out: TensorType, query: int, control: int) -> Relation:
        """What an output whose rows the mask restricts reads of a control: the mask's structure, for any value of it.

        Axis 0 of the output is the batch, axis `query` the queries.
        """
        found, last, result = self.types[control], self.types[control].rank - 1, NOTHING
        for leaf in leaves(self.mask):
            if control not in controls(leaf):
                continue
            if isinstance(leaf, Given):
                result |= _same(out, found, [(0, 0), (query, 2)])
            elif isinstance(leaf, Prefix):
                result |= _same(out, found, [] if self.is_plain(control) else [(0, 0)])
            else:
                own = [] if self.is_plain(control) else [(0, 0)]
                if isinstance(leaf, SameSegment):
                    result |= _same(out, found, [*own, (query, last)])
                result |= meet(_same(out, found, own), self._structure(out, query, control))
        return result

    def _structure(self, out: TensorType, query: int, control: int) -> Relation:
        found, operand = self.types[control], self.first + control
        batched = not self.is_plain(control)
        places = self._places(out, query, found, found.rank - 1, batched=batched)
        whole = relation(self.mask, places)
        # Over axes of other factors a comparison of positions says nothing, and mentions no control.
        if control not in places.loose and places.query:
            whole = Relation(tuple(atom for atom in whole.atoms if mentions(atom, operand)))
        return erase(whole, operand)

    def _places(self, out: TensorType, query: int, inp: TensorType, key: int, batched: bool) -> Coordinates:
        left, right = coordinates(out), coordinates(inp)
        places = Coordinates(
            query=left[query] if out.axes[query].factors == inp.axes[key].factors else (),
            key=right[key],
            out_leading=left[0],
            in_leading=right[0] if batched else (),
            first=self.first,
            plain=frozenset(number for number in controls(self.mask) if self.is_plain(number)),
        )
        batch = inp.axes[0] if batched else None
        loose = (n for n in controls(self.mask) if not self._exact(n, batch, out.axes[0], inp.axes[key]))
        return replace(places, loose=frozenset(loose))

    def _exact(self, control: int, batch: Axis | None, out_batch: Axis, keys: Axis) -> bool:
        """Whether a control's axes have the factors of the batch (on both sides) and of the keys."""
        *leading, last = self.types[control].axes or (keys,)
        prefix = any(isinstance(leaf, Prefix) and leaf.control == control for leaf in leaves(self.mask))
        if prefix:
            return not self.types[control].axes or last == batch
        return last == keys and (not leading or leading == [batch] == [out_batch])


def _same(out: TensorType, inp: TensorType, axes: Sequence[tuple[int, int]]) -> Relation:
    """The same position along the axes that are not broadcast."""
    return aligned(out, inp, [(o, i) for o, i in axes if inp.axes[i].size != 1])


def _equal(left: Sequence[Dim], right: Sequence[Dim]) -> bool:
    return len(left) == len(right) and all(compare(a, "==", b) is True for a, b in zip(left, right, strict=True))


def _broadcasts(found: Sequence[Dim], sizes: Sequence[Dim]) -> bool:
    return all(compare(size, "==", wanted) is True or size == 1 for size, wanted in zip(found, sizes, strict=True))
