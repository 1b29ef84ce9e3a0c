"""The forms of operands that a result in a form is computed from."""

from __future__ import annotations

from archspec.ir.graph import Node, Value
from archspec.passes.incremental.forms import NEW, Fed, Form, Mode, UnplacedAxis
from archspec.passes.incremental.influence import Influences
from archspec.passes.incremental.reach import Reach, reach, same
from archspec.passes.incremental.refusal import refusal
from archspec.relation.atoms import Relation


class Needs:
    """What primitives need of their operands. `has_prefix` says that one asked for reads later entries of a prefix."""

    def __init__(self, fed: Fed, influences: Influences) -> None:
        self.fed, self.influences = fed, influences
        self.has_prefix = False

    def axes(self, value: Value, node: Node | None = None) -> tuple[tuple[int, int], ...]:
        """The fed axes of a value and their coordinates. Refuses an axis that depends otherwise on the positions."""
        try:
            return self.fed.axes(value.type)
        except UnplacedAxis as error:
            raise refusal(node or value.producer, str(error)) from None

    def new(self, value: Value) -> Form:
        """The form of a value at only the new positions."""
        return (NEW,) * len(self.axes(value))

    def relation(self, value: Value, number: int) -> Relation:
        """What a value reads of operand `number` of the primitive that makes it."""
        assert value.producer is not None
        return value.producer.reading(value.index, number)

    def of(self, value: Value, form: Form, number: int) -> Form:
        """The form in which a value in a form needs operand `number`."""
        node = value.producer
        assert node is not None
        operand = node.inputs[number]
        # A value that no step changes is there in one form.
        if not self.influences.of(operand).is_late:
            return ()
        axes = self.axes(operand, node)
        # Nothing of it is read; the op takes it all the same, and new entries are always there.
        if not self.relation(value, number).atoms:
            return (NEW,) * len(axes)
        self._check_rows(node, value, number)
        return tuple(self._mode(node, value, form, number, inp) for _, inp in axes)

    def _mode(self, node: Node, value: Value, form: Form, number: int, inp: int) -> Mode:
        """The mode of one axis of an operand: that of the axis whose positions it shares, or past ones for new ones."""
        relation = self.relation(value, number)
        axes = zip(self.axes(value, node), form, strict=True)
        found = [(reach(relation, out, inp), mode) for (_, out), mode in axes]
        # The axis at the same positions comes first: it decides whatever other axes would need.
        for back, mode in found:
            if back == Reach(past=NEW):
                return mode
        for back, mode in found:
            if back is not None and mode == NEW:
                self.has_prefix |= back.in_prefix
                return self.fed.mode(back.past)
        what = f"operand {number} of `{node.op.name}`, {node.inputs[number].type},"
        if not form:
            raise refusal(
                node, f"the result has no positions and is computed from those of {what} so each new one changes it"
            )
        raise refusal(node, f"later positions of {what} may be read")

    def _check_rows(self, node: Node, value: Value, number: int) -> None:
        """Refuse an op that reads other rows of an operand."""
        operand, relation = node.inputs[number], self.relation(value, number)
        rows = self.fed.row(operand.type)
        if not all(any(same(relation, out, inp) for out in self.fed.row(value.type)) for inp in rows):
            raise refusal(node, f"other rows of operand {number} of `{node.op.name}`, {operand.type}, may be read")
