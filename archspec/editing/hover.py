"""What is told of the text under the pointer, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

from archspec.algebra.dim import Dim
from archspec.analyses.figures import scaled
from archspec.diagnostics import Span
from archspec.editing.forms import Form
from archspec.editing.measured import NodeFacts, number_text
from archspec.editing.names import BLOCKS, FILE, Occurrence, leaves
from archspec.editing.places import Extent, Position
from archspec.editing.slots import BLOCK, NODE, OTHER, RULE, TreeSlot
from archspec.editing.state import State
from archspec.ir.types import TensorType
from archspec.masks.registry import atoms
from archspec.record import record
from archspec.rules.verdict import Verdict
from archspec.spec.rules import Rule, rule_words
from archspec.text.mask import MaskAnd, MaskCall, MaskOr
from archspec.text.nodes import TextNode
from archspec.text.path import Path

# A text of the file is shown as it is: as Markdown it could hold a picture, which an editor would fetch.
_MARKS = re.compile(r"[\\`*_{}\[\]()#!<>|~&]")


@record(kw_only=False)
class Hover:
    """Markdown, and the text that it is about."""

    text: str
    extent: Extent


def hover(state: State, place: Position) -> Hover | None:
    """What is known of the name, the key or the word at a place; None if there is nothing to tell."""
    offset, slot = state.at(place), state.slot(place)
    if offset is None:
        return None
    occurrence = state.occurrence(place)
    if occurrence is not None:
        return _told(state, occurrence.span, list(_of_name(state, occurrence)))
    if slot is None:
        return None
    if slot.key is not None and slot.key.span.start <= offset <= slot.key.span.end:
        return _told(state, slot.key.span, list(_of_key(state, slot)))
    return _in_text(state, slot, offset)


def _told(state: State, span: Span, paragraphs: list[str]) -> Hover | None:
    extent = state.extent(span)
    return Hover("\n\n".join(paragraphs), extent) if extent is not None and paragraphs else None


# -- names


def _of_name(state: State, occurrence: Occurrence) -> Iterator[str]:
    name, names = occurrence.name, state.names
    defined = None if names is None else names.definitions.get(name)
    if defined is None:
        return
    yield f"**{name.text}**: {defined.what}{_of_block(name.scope)}"
    if name.scope == BLOCKS:
        yield from _about_block(state, name.text)
    elif state.report is not None:
        measured = state.measured
        if measured is not None:
            yield from _numbers(state, measured, name.text, defined)
            yield from _value(state, measured, name.text, defined)
            if state.is_old:
                yield "*As of the last text that loaded.*"


def _slots(state: State) -> tuple[TreeSlot, ...]:
    return () if state.names is None else state.names.slots


def _of_block(scope: tuple[str, ...]) -> str:
    return f" of the block `{scope[1]}`" if scope[0] == "body" else ""


def _about_block(state: State, name: str) -> Iterator[str]:
    if state.names is None:
        return
    for slot in _slots(state):
        if slot.trail == ("blocks", name, "about") and isinstance(slot.node, TextNode):
            yield _MARKS.sub(r"\\\g<0>", slot.node.value)
    fields = [one.name.text for one in state.names.all if one.name.scope == ("body", name) and one.what == "a field"]
    if fields:
        yield f"fields: {', '.join(f'`{field}`' for field in fields)}"


def _numbers(state: State, measured: NodeFacts, name: str, defined: Occurrence) -> Iterator[str]:
    """The value of a constant, the range of a dim."""
    spec = measured.report.spec
    if defined.name.scope == FILE and defined.what == "a constant" and name in spec.constants:
        yield f"= `{number_text(spec.constants[name])}`"
    if defined.name.scope == FILE and defined.what == "a dim" and name in spec.dims:
        dim = spec.dims[name]
        multiple = f", a multiple of {dim.multiple}" if dim.multiple != 1 else ""
        yield f"{dim.min} to {dim.max}, typically {dim.typical}{multiple}"


def _value(state: State, measured: NodeFacts, name: str, defined: Occurrence) -> Iterator[str]:
    """The type of a value; for a node of the file its cost, and the rules that it has a part in."""
    is_of_file = defined.name.scope == FILE
    found = measured.type_of(name) if is_of_file else measured.type_at(defined.span)
    if found is None or defined.what in ("a constant", "a dim", "a field", "an axis"):
        return
    yield type_text(found)
    if not is_of_file:
        return
    if defined.what == "a node":
        cost = measured.cost_of(name)
        reused = " of another node" if cost.parameters and not cost.own else ""
        yield f"{cost.parameters:,} parameters{reused}, {flops_text(cost.flops)}"
    whole = next(
        (one.key.span.to(one.node.span) for one in _slots(state) if one.key and one.key.span == defined.span), None
    )
    lines = [_verdict(one, whole or defined.span) for one in measured.verdicts_on(name)]
    if lines:
        yield "\n".join(f"- {line}" for line in lines)


def _verdict(verdict: Verdict, node: Span) -> str:
    """A verdict in words, with the place where it is lost; a node at that place is told so."""
    text = f"`{verdict.rule}`: **{verdict.status}**{f', {verdict.explanation}' if verdict.explanation else ''}"
    primary = verdict.diagnostics[0].primary if verdict.diagnostics else None
    if primary is None or not primary.text:
        return text
    here = primary.span.source.name == node.source.name and node.start <= primary.span.start < node.end
    return f"{text}; lost {'here' if here else f'in line {primary.span.line}'}: {primary.text}"


def type_text(found: TensorType) -> str:
    """A type, and its shape at the typical sizes where it depends on dims."""
    typical = " x ".join(f"{size.typical()}" for size in found.shape)
    return f"`{found}`" + (f", typically {typical}" if any(size.constant is None for size in found.shape) else "")


def flops_text(flops: Dim) -> str:
    """FLOPs at the typical sizes: `1.23 GFLOP at typical sizes`."""
    told = scaled(flops.typical(), "FLOP")
    return told if flops.constant is not None else f"{told} at typical sizes"


# -- keys and words


def _of_key(state: State, slot: TreeSlot) -> Iterator[str]:
    assert slot.key is not None
    word = slot.key.value
    kind = rule_words().get(word) if slot.trail[:1] == ("rules",) and len(slot.trail) == 3 else None
    if kind is not None:
        yield f"**{word}**: a rule"
        yield _docs(type(kind))
        yield from _own_verdict(state, slot)
    elif slot.form is not OTHER and slot.form is not NODE:
        yield f"**{word}**: {slot.form.about}" if slot.form.about else f"**{word}**"
        yield from _choices(slot.form)


def _own_verdict(state: State, slot: TreeSlot) -> Iterator[str]:
    """The verdict on the rule of a slot."""
    number = slot.trail[1]
    rules = [] if state.report is None else [one for one in state.report.verdicts if isinstance(one.rule, Rule)]
    if state.is_old or not isinstance(number, int) or number >= len(rules):
        return
    yield _verdict(rules[number], slot.node.span)


def _choices(form: Form) -> Iterator[str]:
    if form.words:
        yield f"one of {', '.join(f'`{word}`' for word in form.words)}"
    if form.default:
        yield f"`{form.default}` when left out"


def _in_text(state: State, slot: TreeSlot, offset: int) -> Hover | None:
    """The value or parameter that a path names, the block that a word names, an atom of a mask, or the field."""
    node = slot.node
    if not isinstance(node, TextNode) or state.names is None:
        return None
    if slot.form is BLOCK:
        block = state.names.walk.known.get(node.value)
        return None if block is None else _told(state, node.span, [f"**{node.value}**: a block", _docs(block)])
    read = state.names.read(slot)
    for path in (one for one in leaves(read) if isinstance(one, Path)):
        if path.span.start <= offset <= path.span.end and state.measured is not None:
            found = state.measured.type_of(str(path)) or state.measured.type_of(_starred(path))
            return None if found is None else _told(state, path.span, [f"**{path}**", type_text(found)])
    for call in _atoms(read):
        if call.span.start <= offset <= call.span.start + len(call.word):
            return _told(state, call.span, [f"**{call.word}**: a mask", _docs(atoms()[call.word])])
    if slot.form is RULE or slot.form is OTHER or slot.form is NODE:
        return None
    return _told(state, node.span, [one for one in (slot.form.about, *_choices(slot.form)) if one])


def _starred(path: Path) -> str:
    """A path with `*` for the numbers of layers, as parameters of repeated layers are called."""
    return ".".join("*" if part.isdecimal() else part for part in path.parts)


def _atoms(read: object) -> Iterator[MaskCall]:
    if isinstance(read, (MaskAnd, MaskOr)):
        yield from _atoms(read.left)
        yield from _atoms(read.right)
    elif isinstance(read, MaskCall):
        yield read


def _docs(thing: type) -> str:
    return cleandoc(thing.__doc__ or "")
