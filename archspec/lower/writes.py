"""Writing into what a step keeps: which values are kept, and the source that writes new entries in place."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.repeat import Repeat
from archspec.lower.code import Assignment, ClassCode, Do, Need, Slots, Variable
from archspec.lower.primitive import Helpers
from archspec.lower.syntax import parse
from archspec.ops.shape.concat import Concat
from archspec.ops.state.write_positions import WritePositions

# Detached: otherwise each write would add to a graph of gradients that grows with every step.
WRITE = '''
def write(kept: Tensor, new: Tensor, slots: Tensor, axis: int) -> None:
    """Write entries slots[1] [b, n] of new along an axis into places slots[0] of kept."""
    places, entries = slots
    rows = torch.arange(len(places), device=places.device)[:, None]
    chosen = new.detach().transpose(1, axis)[rows, entries]
    kept.transpose(1, axis)[rows, places] = chosen
'''
# What has no room repeats the last entry that has: a write leaves open which of two entries for one place stays, so
# both must be equal.
WHOLE_SLOTS = '''
def slots_at(past: Tensor, new: int, size: int) -> Tensor:
    """Places and entries [2, b, new] to write after past [b] positions, below a size."""
    room = (size - 1 - past[:, None]).clamp(min=0)
    entries = torch.arange(new, device=past.device).minimum(room)
    return torch.stack(((past[:, None] + entries).clamp(max=size - 1), entries))
'''
# For engines, whose programs write nothing in place.
WRITTEN = '''
def written(kept: Tensor, new: Tensor, slots: Tensor, axis: int) -> Tensor:
    """kept with entries slots[1] [b, n] of new along an axis in places slots[0]."""
    shape = [1] * new.dim()
    shape[0], shape[axis] = slots.shape[1:]
    size = list(new.shape)
    size[axis] = slots.shape[2]
    places, entries = slots.view(2, *shape).expand(2, *size).unbind()
    return kept.scatter(axis, places, new.gather(axis, entries))
'''
# Entries number those of the ring and then the new ones, as `Writer.finish` reads them. A row with few new ones writes
# some of its own again: all rows write equally many.
RING_SLOTS = '''
def ring_slots_at(past: Tensor, counts: Tensor, new: int, size: int) -> Tensor:
    """Places and entries [2, b, new] to write to a ring of a size after past [b] positions.

    Of its own entries and counts [b] new ones each row keeps the last, some written twice.
    """
    entries = torch.arange(new, device=past.device).minimum(counts[:, None] - 1)
    entries = entries.maximum(counts[:, None] - size)
    places = (past[:, None] + entries) % size
    return torch.stack((places, torch.where(entries < 0, places, size + entries)))
'''


def is_update(value: Value) -> bool:
    """Whether a value replaces a part of what a step keeps, so that code that writes in place does not return it."""
    node = value.producer
    if node is None:
        return False
    match node.op:
        case WritePositions():
            return True
        case Call():
            return is_update(node.regions[0].outputs[value.index])
        case Repeat() as op:
            # Outputs of a repeat are the carried value, the taps, then the stacks.
            number = value.index - 1 - len(op.taps)
            if number < 0:
                return False
            scan = op.stacks[number]
            assert scan.output is not None
            return is_update(node.regions[scan.body].outputs[scan.output])
        case _:
            return False


def is_written(region: Graph, value: Value) -> bool:
    """Whether a body, or one inside it, writes into one of its inputs."""
    for node in region.nodes:
        for number, operand in enumerate(node.inputs):
            if operand is not value:
                continue
            if isinstance(node.op, WritePositions) and number == 0:
                return True
            if any(is_written(inner, inner.inputs[number]) for inner in node.regions):
                return True
    return False


def results(region: Graph, first: int = 0, *, in_place: bool = True) -> list[Value]:
    """The outputs of a body that its code returns, from the number `first` on."""
    return [value for value in region.outputs[first:] if not (in_place and is_update(value))]


def is_list(value: Value) -> bool:
    """Whether a value stacks what layers take or make, so that code with a tensor a layer has a list in its place."""
    node = value.producer
    if node is None:
        return False
    match node.op:
        case Call():
            return is_list(node.regions[0].outputs[value.index])
        case Repeat() as op:
            return value.index > len(op.taps)
        case _:
            return False


def is_stack(region: Graph, value: Value) -> bool:
    """Whether layers take parts of an input of a body."""
    for node in region.nodes:
        for number, operand in enumerate(node.inputs):
            if operand is not value:
                continue
            match node.op:
                case Repeat() as op if number in op.stacked:
                    return True
                case Call() if is_stack(node.regions[0], node.regions[0].inputs[number]):
                    return True
    return False


class Writer:
    """Writes the new entries of one body of a step, in place or into what replaces what is kept."""

    def __init__(self, code: ClassCode, helpers: Helpers, *, in_place: bool) -> None:
        self.code = code
        self.helpers = helpers
        self.in_place = in_place
        self._late: list[tuple[str, str, WritePositions, Node]] = []

    def write(self, node: Node, op: WritePositions, operands: Sequence[str]) -> str:
        """Write into what is kept; returns the token that holds it afterwards.

        A ring is written at the end of the body, because the entries that it loses are read before.
        """
        kept, new = operands[:2]
        ring = node.inputs[0].type.shape[op.axis].constant if op.ring else None
        # A need, because layers with buffers of one kind write at the same places: the outermost body makes them once.
        slots = self.code.need(Need(what=Slots(ring=ring)))
        value = node.outputs[0]
        made = kept if self.in_place else self.code.variable(Variable(hint=f"{value.name}_kept", type=value.type))
        if op.ring:
            self._late.append((made, slots, op, node))
        else:
            self._append(made, kept, new, slots, op.axis)
        return made

    def finish(self, region: Graph, tokens: dict[Value, str]) -> None:
        """Append the writes into rings, of the entries that are read: those of the ring and the new ones."""
        for made, slots, op, node in self._late:
            # The pass joins the ring and the new ones to be read; the entries are numbered in that.
            read = next(one for one in region.nodes if isinstance(one.op, Concat) and one.inputs == node.inputs[:2])
            self._append(made, tokens[node.inputs[0]], tokens[read.outputs[0]], slots, op.axis)

    def _append(self, made: str, kept: str, new: str, slots: str, axis: int) -> None:
        value = parse(f"{self.helpers.add(WRITE if self.in_place else WRITTEN)}({kept}, {new}, {slots}, {axis})")
        self.code.statements.append(Do(value=value) if self.in_place else Assignment(targets=(made,), value=value))
