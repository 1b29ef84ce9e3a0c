"""Whether the valid positions of a padded row hold what they hold when the row is run alone, value by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.analyses.shift import Shifts
from archspec.analyses.size_use import sizes_meant
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.motion import Everywhere, Lost, Motion, Move, Moves, Still, lost, source
from archspec.ir.op import Primitive, Reads
from archspec.ir.types import TensorType
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.within import Within
from archspec.masks.mask import And, Mask, Or
from archspec.masks.walk import leaves
from archspec.ops.attention.attention import Attention
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.constant import Constant
from archspec.ops.elementwise.logical import Logical
from archspec.ops.elementwise.select import Select
from archspec.ops.elementwise.where import Where
from archspec.ops.position.counted_positions import CountedPositions
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.broadcast_axis import BroadcastAxis
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.shift import Shift
from archspec.ops.shape.take import Take
from archspec.ops.shape.transpose import Transpose
from archspec.relation.atoms import equal
from archspec.spec.inputs import Padding

LENGTH = "computes with the number of positions, padding included"
PADDING = "lets valid positions read padding"
SEVERAL = "computes with what differs from position to position of the row in its own way"


class Unpadded(Shifts):
    """How values of a padded row stand to those of the row alone, as motions.

    `Moves`, not broken, read at its own position alone: at valid positions it is what the row alone has there. `Still`:
    it is the same for both, at equal indices. Everything else is not known. By induction over the nodes: an op whose
    result at a position is one function of its operands there keeps this; attention does if its mask hides all padding
    from valid positions. No op may compute with the number of positions.

    Args:
        graph: the graph.
        valid: an input, bool [batch, positions], true at the positions of the row that are no padding.
        padding: what it promises. With `right` the row alone has the same indices, so that absolute positions agree.
    """

    def __init__(self, graph: Graph, valid: Value, padding: Padding) -> None:
        self.length, self.batch, self.padding = valid.type.shape[-1], valid.type.shape[0], padding
        self._valid = valid
        nodes = [node for node in graph.walk() if node.regions]
        pairs = (pair for node in nodes for region in node.regions for pair in node.captures(region))
        self._outside = {inner: outer for outer, inner in pairs}
        self._line = Move(length=self.length, unit=1, circular=False)
        others = [(value, self._along(value.type)[0]) for value in graph.inputs if self._along(value.type)]
        super().__init__(graph, valid, valid.type.rank - 1, self._line, others)

    def holds(self, value: Value) -> bool:
        """Whether a value at the top is proved to be the same in a row alone, at valid positions."""
        found = self.motion(value)
        if not self._is_plain(value.type):
            return False
        return _is_sound(found) or (isinstance(found, Still) and found.level.issuperset(self._along(value.type)))

    def primitive(self, node: Node, op: Primitive, operands: Sequence[Motion]) -> Sequence[Motion]:
        """The motions of the outputs, where they are known to be those of the row alone."""
        if sizes_meant(op) & (self.length.symbols() | self.batch.symbols()):
            return [lost(LENGTH) for _ in node.outputs]
        broken = next((one.broken for one in operands if isinstance(one, Moves) and one.broken is not None), None)
        if broken is not None:
            return [Lost(why=broken) for _ in node.outputs]
        read = zip(operands, node.inputs, strict=True)
        if not all(self._is_plain(value.type) for one, value in read if not _is_relative(one)):
            return [lost(SEVERAL) for _ in node.outputs]
        found = self._by_padding(node, op, operands)
        if found is not None:
            return found
        found = super().primitive(node, op, operands)
        return [self._own(node, operands, one, value) for one, value in zip(found, node.outputs, strict=True)]

    def _by_padding(self, node: Node, op: Primitive, operands: Sequence[Motion]) -> Sequence[Motion] | None:
        """The motions of what `valid` decides; None for an op that does not look at it."""
        first = operands[0]
        if isinstance(op, Attention):
            return self._attended(node, op, operands)
        if not (isinstance(first, Moves) and _is_sound(first)):
            return None
        rank = node.inputs[0].type.rank
        match op:
            case CountedPositions() if not op.ids:
                return [first] if self._implies(node.inputs[0]) else None
            case MaskedPool() if first.axis == 1 and _is_sound(operands[1]):
                return [Still() if self._implies(node.inputs[1]) else lost(PADDING)]
            case Take() if first.axis == op.axis % rank:
                # Every admitted row is long enough for the index.
                return [Still()] if self.padding == ("left" if op.index < 0 else "right") else None
            case Reduce(kind="sum") if first.axis in {axis % rank for axis in op.axes}:
                return [Still() if self._is_zeroed(node.inputs[0]) else lost(PADDING)]
            case Convolution() | Shift():
                return self._neighbours(node, op, operands)
        return None

    def _neighbours(self, node: Node, op: Primitive, operands: Sequence[Motion]) -> list[Motion]:
        """The motions of what reads neighbours, and zeros or a fixed value beyond both ends."""
        found: list[Motion] = []
        zeros = self._is_zeroed(node.inputs[0]) and not (isinstance(op, Shift) and not _is_nought(op.fill))
        for one in super().primitive(node, op, operands):
            if isinstance(one, Moves) and not _is_own(one):
                # On its own side nothing precedes the first, or follows the last, valid position in either run.
                front = one.low >= 0 or zeros or self.padding == "right"
                back = one.high <= 0 or zeros or self.padding == "left"
                one = replace(one, low=one.low * 0, high=one.high * 0) if front and back else lost(PADDING)
            found.append(self._own(node, operands, one, node.outputs[0]))
        return found

    def _attended(self, node: Node, op: Attention, operands: Sequence[Motion]) -> list[Motion]:
        """The motions of what is attended, where the mask hides padding from valid positions."""
        if not any(isinstance(one, Moves) for one in operands[1:3]):
            if any(self._mentions(value.type) for value in node.inputs[1:3]):
                return [lost(SEVERAL) for _ in node.outputs]
            found = super().primitive(node, op, operands)
            return [self._own(node, operands, one, value) for one, value in zip(found, node.outputs, strict=True)]
        if not self._hides(op.mask, node.inputs[op.first :]):
            return [lost(PADDING) for _ in node.outputs]
        if not isinstance(operands[0], Moves):
            return [self._pooled(op, operands) for _ in node.outputs]
        # A window of any size: whether a query moves with its keys does not depend on how far it sees.
        near = replace(op, mask=op.mask & Within(Dim.of(1)))
        moved = super().primitive(node, near, operands)
        near_own = [replace(one, low=Fraction(0), high=Fraction(0)) if isinstance(one, Moves) else one for one in moved]
        return [self._own(node, operands, one, value) for one, value in zip(near_own, node.outputs, strict=True)]

    def _pooled(self, op: Attention, operands: Sequence[Motion]) -> Motion:
        """The motion of what queries outside the row attend to: all valid positions, in no order."""
        query, key, value = operands[:3]
        unordered = all(isinstance(leaf, KeyValid) for leaf in leaves(op.mask))
        sound = isinstance(query, Still) and _is_sound(key) and _is_sound(value) and op.first == 3 and not op.weights
        together = sound and isinstance(key, Moves) and isinstance(value, Moves) and key.axis == value.axis == 2
        controls = all(_is_sound(one) for one in operands[op.first :])
        return Still() if together and unordered and controls else lost(SEVERAL)

    def _hides(self, mask: Mask, controls: Sequence[Value]) -> bool:
        """Whether a mask hides every padded key from every valid query."""
        match mask:
            case And():
                return any(self._hides(term, controls) for term in mask.terms)
            case Or():
                return all(self._hides(term, controls) for term in mask.terms)
            case KeyValid():
                return self._implies(controls[mask.control])
        # With padding on the right every earlier position is valid.
        return self.padding == "right" and getattr(mask, "implies_causal", False) is True

    def _origin(self, value: Value) -> Value:
        """The value that a captured value stands for, where it was made."""
        while value in self._outside:
            value = self._outside[value]
        return value

    def _implies(self, value: Value) -> bool:
        """Whether a bool value, read at a position, is false at padding."""
        value = self._origin(value)
        node = value.producer
        if value is self._valid or node is None:
            return value is self._valid
        if isinstance(node.op, Logical):
            return node.op.kind == "and" and any(self._implies(one) for one in node.inputs)
        return _is_view(node) and self._implies(node.inputs[0])

    def _is_zeroed(self, value: Value) -> bool:
        """Whether a value is zero at padding, as it is written: `select` with `where: valid`, transposed or not."""
        node = self._origin(value).producer
        if node is None:
            return False
        if isinstance(node.op, Select) and node.op.number is not None:
            return self._implies(node.inputs[0]) and _is_nought(node.op.number)
        if isinstance(node.op, Where):
            return self._implies(node.inputs[0]) and self._is_zero(node.inputs[2])
        return _is_view(node) and self._is_zeroed(node.inputs[0])

    def _is_zero(self, value: Value) -> bool:
        node = self._origin(value).producer
        if node is not None and isinstance(node.op, Constant):
            return not isinstance(node.op.number, bool) and _is_nought(node.op.number)
        return node is not None and _is_view(node) and self._is_zero(node.inputs[0])

    def _own(self, node: Node, operands: Sequence[Motion], found: Motion, value: Value) -> Motion:
        """A motion as far as it says what the row alone has: read at its own position, or the same in both."""
        if isinstance(found, Everywhere):
            return lost("reads every position of the row, padding included")
        if isinstance(found, Still):
            return self._same(node, found, value.type)
        if not isinstance(found, Moves) or found.broken is not None:
            return found
        if not self._reads_along(node, operands, found, value):
            return lost(SEVERAL)
        alike = _is_own(found) and found.is_alone and found.step == 1 and found.size == self.length
        return found if alike else lost("reads neighbours, or holds more than the positions of the row")

    def _same(self, node: Node, found: Still, type_: TensorType) -> Motion:
        """A still value as it is, or as one that moves where absolute positions are the same in the row alone."""
        if any(self._mentions(value.type) for value in node.inputs) and not self._reads_nothing(node):
            return lost(SEVERAL)
        along = self._along(type_)
        fixed = found.relative or found.angles is not None or found.level.issuperset(along)
        if self.padding != "right" or fixed or len(along) != 1:
            return found
        return source(self._line, along[0])

    def _reads_nothing(self, node: Node) -> bool:
        """Whether no operand is read, but for its shape."""
        assert isinstance(node.op, Primitive)
        return node.op.unread or not any(relation.atoms for row in _reads(node) for relation in row)

    def _reads_along(self, node: Node, operands: Sequence[Motion], found: Moves, value: Value) -> bool:
        """Whether of still operands over positions only the entry at the result's own position is read.

        What is made of all of them, such as a sum, may depend on how many there are.
        """
        row = _reads(node)[value.index]
        for one, operand, relation in zip(operands, node.inputs, row, strict=True):
            if not isinstance(one, Still) or one.relative or not self._mentions(operand.type):
                continue
            (axis,) = self._along(operand.type)
            places = value.type.coordinates[found.axis], operand.type.coordinates[axis]
            if [len(place) for place in places] != [1, 1]:
                return False
            same = equal(places[0][0], places[1][0])
            if not all(same in atom.differences for atom in relation.atoms):
                return False
        return True

    def _along(self, type_: TensorType) -> list[int]:
        """The axes of positions."""
        return [axis for axis, size in enumerate(type_.shape) if size == self.length]

    def _mentions(self, type_: TensorType) -> bool:
        """Whether some axis is as long as the row, or has a size that is computed from its length."""
        return any(size.symbols() & self.length.symbols() for size in type_.shape)

    def _is_plain(self, type_: TensorType) -> bool:
        """Whether no size is computed from the length of the row but that of one axis, which is as long as the row."""
        return sum(bool(size.symbols() & self.length.symbols()) for size in type_.shape) == len(self._along(type_)[:1])


def _reads(node: Node) -> Reads:
    """The relations of a primitive."""
    assert isinstance(node.op, Primitive)
    return node.op.reads([value.type for value in node.inputs], [value.type for value in node.outputs])


def _is_own(found: Moves) -> bool:
    """Whether an entry depends on its own position alone, but for what attention reads."""
    return found.low == found.high == 0


def _is_sound(found: Motion) -> bool:
    """Whether a value moves, is not broken and is not turned by angles of its positions."""
    return isinstance(found, Moves) and found.broken is None and found.angles is None


def _is_relative(found: Motion) -> bool:
    """Whether a value differs by the difference of two positions alone."""
    return isinstance(found, Still) and found.relative


def _is_view(node: Node) -> bool:
    """Whether an op only arranges the entries of its one operand along other axes."""
    return isinstance(node.op, Transpose | Merge | BroadcastAxis)


def _is_nought(number: Scalar) -> bool:
    return not number.symbols() and number.evaluate({}) == 0
