"""Hints inside the text: the type of each node behind its name, and the value of a computed constant."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.editing.measured import number_text
from archspec.editing.places import Lines, Position
from archspec.editing.slots import NODE, TreeSlot
from archspec.editing.state import State
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.text.nodes import ListNode, MapNode, TextNode


@record(kw_only=False)
class Hint:
    """A text that is shown at a place, after what stands there."""

    place: Position
    text: str


def hints(state: State) -> tuple[Hint, ...]:
    """The hints of the last text that loaded, where the text is still the same.

    While a text parses and does not load, they may be others than its own, and say so.
    """
    if state.names is None or state.measured is None:
        return ()
    is_other = state.is_old and state.now.own is not None
    found: dict[Position, Hint] = {}
    for slot in state.names.slots:
        for hint in _hint(state, slot):
            found.setdefault(hint.place, Hint(hint.place, f"{hint.text} (before)") if is_other else hint)
    return tuple(found.values())


def _hint(state: State, slot: TreeSlot) -> Iterator[Hint]:
    if slot.form is NODE and slot.trail[0] in ("graph", "blocks"):
        found = _type(state, slot)
        start = slot.key.span if slot.key is not None else slot.node.span
        if found is not None and not _is_chain_end(slot):
            yield from _at(state, start.source.name, start.end if slot.key else start.start, f": {found}", slot)
    elif slot.trail[:1] == ("constants",) and isinstance(slot.node, TextNode):
        assert state.report is not None
        value = state.report.spec.constants.get(slot.node.value if slot.key is None else slot.key.value)
        text = "" if value is None else number_text(value)
        if text and not slot.node.value.replace(".", "", 1).isdecimal():
            yield from _at(state, slot.node.span.source.name, slot.node.span.end, f"= {text}", None)


def _is_chain_end(slot: TreeSlot) -> bool:
    """Whether the last part of a chain, which has the type of the chain."""
    return isinstance(slot.holder, ListNode) and slot.trail[-1] == len(slot.holder.items) - 1


def _type(state: State, slot: TreeSlot) -> TensorType | None:
    assert state.measured is not None
    if not slot.scope:
        return state.measured.type_of(".".join(map(str, slot.trail[1:])))
    word = slot.node.get("block") if isinstance(slot.node, MapNode) and slot.key is None else None
    place = slot.key.span if slot.key is not None else None if word is None else word.span
    return None if place is None else state.measured.type_at(place)


def _at(state: State, file: str, offset: int, text: str, slot: TreeSlot | None) -> Iterator[Hint]:
    if file != state.file:
        return
    now = state.shift.new(offset)
    if now is not None:
        place = state.lines.place(now)
        yield Hint(place if slot is None else _line_end(state.lines, place, slot), text)


def _line_end(lines: Lines, place: Position, slot: TreeSlot) -> Position:
    """The end of the line that a node starts, where no other node stands in it; else the place itself."""
    text = lines.source.line_text(place.line + 1)
    if slot.holder is not None and getattr(slot.holder, "flow", False):
        return place
    return Position(place.line, lines.place(lines.offset(Position(place.line, 0)) + len(text)).character)
