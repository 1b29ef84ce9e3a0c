"""What may be written at a place, from the models that read files and from the names of the file.

The word at the place is replaced by a mark that no file has, in a few forms until the text parses; where the mark then
stands in the tree tells what may stand there. Where the rest of the file does not parse, its section is read alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Literal

from archspec.blocks.registry import blocks
from archspec.diagnostics import Source, SpecError
from archspec.editing.desk import Desk
from archspec.editing.forms import Form
from archspec.editing.measured import number_text
from archspec.editing.names import BLOCKS, Occurrence
from archspec.editing.places import Extent, Position
from archspec.editing.slots import BLOCK, LINES, NODE, OTHER, REUSE, TreeSlot, Walk
from archspec.editing.state import State
from archspec.masks.registry import atoms
from archspec.record import record
from archspec.spec.shipped import shipped_specs_dir
from archspec.text import expr, value
from archspec.text.nodes import MapNode, TextNode
from archspec.text.pred import WORDS
from archspec.text.reader import read
from archspec.text.reserved import LAYER
from archspec.text.types import DTYPES

CompletionKind = Literal["field", "word", "block", "value", "number", "type", "mask", "function", "file", "rule"]
_MARK = "zzcompletionzz"
_MOST_READ = 400_000
_WORD = re.compile(r"[A-Za-z_][\w.-]*\Z")
_REST = re.compile(r"[\w.-]*")
_VALUES = ("an input", "a node", "an output")
_NUMBERS = ("a constant", "a dim", "a field", "an axis")


@record(kw_only=False)
class Completion:
    """A text that may replace an extent; `detail` is one line on it, `about` some more."""

    label: str
    kind: CompletionKind
    detail: str
    text: str
    extent: Extent
    about: str = ""
    required: bool = False


@record(kw_only=False)
class _Choice:
    """A text that may be written."""

    label: str
    kind: CompletionKind
    detail: str = ""
    text: str = ""
    about: str = ""
    required: bool = False


def completions(state: State, place: Position, desk: Desk) -> tuple[Completion, ...]:
    """What may stand at a place, in the order in which it should be shown; files are those of `desk`."""
    offset = state.lines.offset(place)
    text = state.lines.source.text
    start = offset - len(found.group()) if (found := _WORD.search(text, 0, offset)) else offset
    rest = _REST.match(text, offset)
    end = offset if rest is None else rest.end()
    slot = _marked(state, text, start, end)
    if slot is None:
        return ()
    extent = Extent(state.lines.place(start), state.lines.place(end))
    choices: dict[str, _Choice] = {}
    for one in _choices(state, slot, desk):
        choices.setdefault(one.label, one)
    return tuple(
        Completion(one.label, one.kind, one.detail, _new(one, text[end:]), extent, one.about, one.required)
        for one in choices.values()
    )


def _new(choice: _Choice, rest: str) -> str:
    """The text of a choice, without a sign at its end that follows already: a colon, or an opening bracket."""
    new = choice.text or choice.label
    sign = new.rstrip()[-1:]
    return new.rstrip()[:-1] if sign in (":", "(", "[") and rest.lstrip(" ").startswith(sign) else new


@record(kw_only=False, eq=False)
class _Marked:
    """The slot with the mark, whether the mark is its key, and the walk that found it."""

    slot: TreeSlot
    is_key: bool
    walk: Walk
    holder: TreeSlot | None


def _marked(state: State, text: str, start: int, end: int) -> _Marked | None:
    for tree in _trees(state.file, text, start, end):
        known = state.names.walk.known if state.names is not None else blocks()
        merged = state.names.tree if state.names is not None else tree
        walk = Walk(known=known, merged=_over(merged, tree))
        holders: dict[tuple[object, ...], TreeSlot] = {}
        for slot in walk.slots(tree):
            holders[slot.trail] = slot
            if slot.key is not None and _MARK in slot.key.value:
                return _Marked(slot, True, walk, holders.get(slot.trail[:-1]))
            if _MARK in getattr(slot.node, "value", ""):
                return _Marked(slot, False, walk, holders.get(slot.trail[:-1]))
    return None


def _over(merged: MapNode, tree: MapNode) -> MapNode:
    """The tree that tells blocks of nodes: the file as it is now, or what it extends where it leaves them out."""
    return merged if tree.get("extends") is not None else tree


def _trees(file: str, text: str, start: int, end: int) -> Iterator[MapNode]:
    """Trees with the mark: of the whole text, or of the section that holds the place."""
    left = _MOST_READ
    for one in _candidates(text[:start], text[end:]):
        # What one types is read at every key: a large file that does not parse must not be read twenty times.
        left -= len(one)
        if left < 0:
            return
        try:
            yield read(Source(file, one))
        except SpecError:
            continue


def _candidates(before: str, after: str) -> Iterator[str]:
    """Texts that may parse: with the mark as a text or as a key, and with or without what follows in its line."""
    line = after.partition("\n")[0].partition("\r")[0]
    forms = (_MARK, f"{_MARK}: {_MARK}", f" {_MARK}", f"{_MARK}: {_MARK},", f"{_MARK},")
    for form in forms:
        yield from dict.fromkeys((before + form + after, before + form + after[len(line) :]))
    top = _section(before)
    below = re.search(r"(?m)^(?=[A-Za-z_])", after[len(line) :])
    tail = after if below is None else after[: len(line) + below.start()]
    for form in forms:
        yield from dict.fromkeys(top + form + rest for rest in (tail, tail[len(line) :], "", _closing(top + form)))


def _section(before: str) -> str:
    """The text from the start of the section that a place is in."""
    starts = [found.start() for found in re.finditer(r"(?m)^[A-Za-z_]", before)]
    return before[starts[-1] :] if starts else before


def _closing(text: str) -> str:
    """The brackets that are open at the end of a text."""
    open_: list[str] = []
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{":
            open_.append("]" if character == "[" else "}")
        elif character in "]}" and open_:
            open_.pop()
    return "".join(reversed(open_))


# -- choices


def _choices(state: State, marked: _Marked, desk: Desk) -> Iterator[_Choice]:
    if marked.is_key:
        return _keys(state, marked)
    return _files(state, desk) if marked.slot.trail == ("extends",) else _texts(state, marked)


def _keys(state: State, marked: _Marked) -> Iterator[_Choice]:
    """The fields that a map does not have yet, required ones first; names that are expected under `reduced`."""
    holder = marked.holder
    if holder is None:
        return
    given = set(holder.node.keys()) if isinstance(holder.node, MapNode) else set()
    fields = marked.walk.fields(holder) if holder.form.values is None else {}
    for key, form in sorted(fields.items(), key=lambda item: not item[1].required):
        if key not in given:
            detail = form.about or "a field"
            kind: CompletionKind = "rule" if holder.trail[:1] == ("rules",) and len(holder.trail) == 2 else "field"
            about = f"left out: `{form.default}`" if form.default else ""
            yield _Choice(
                key, kind, f"required: {detail}" if form.required else detail, f"{key}: ", about, form.required
            )
    if holder.trail[:1] == ("reduced",) and len(holder.trail) == 2:
        what = {"constants": "a constant", "dims": "a dim"}.get(str(holder.trail[1]))
        yield from (
            _Choice(one.name.text, "number", one.what, f"{one.name.text}: ")
            for one in _visible(state, "")
            if one.what == what and one.name.text not in given
        )
    if holder.trail[-1:] == ("outputs",):
        yield from (
            _Choice(one.name.text, "value", one.what, f"{one.name.text}: ")
            for one in _visible(state, holder.scope)
            if one.what == "a node" and one.name.text not in given
        )


def _texts(state: State, marked: _Marked) -> Iterator[_Choice]:
    slot, form = marked.slot, marked.slot.form
    if form is BLOCK:
        yield from _blocks(state, marked.walk)
    elif form is REUSE:
        yield from (_named(state, one) for one in _visible(state, slot.scope) if one.what == "a node")
    elif form is NODE:
        yield from _values(state, slot)
        yield from (_Choice(word, "function", "of a value", f"{word}(") for word in value.FUNCTIONS)
    elif slot.trail[0] == "rules" and len(slot.trail) == 2 and marked.holder is not None:
        # An item that is still a bare word.
        yield from (_Choice(key, "rule", one.about, f"{key}: ") for key, one in marked.walk.fields(slot).items())
    elif form is not OTHER and form is not LINES:
        yield from _of_form(state, slot, form)


def _of_form(state: State, slot: TreeSlot, form: Form) -> Iterator[_Choice]:
    before = slot.node.value.partition(_MARK)[0] if isinstance(slot.node, TextNode) else ""
    sorts = form.sorts
    if not before:
        yield from (_Choice(word, "word", form.about) for word in form.words)
    if "mask" in sorts:
        yield from _of_mask(state, slot, before)
    if "type" in sorts and "[" not in before:
        yield from (_Choice(word, "type", "a dtype", f"{word}[") for word in DTYPES)
    elif sorts & {"expr", "axis", "type"}:
        yield from _numbers(state, slot)
    if "path" in sorts and slot.trail[-1] == "tie":
        yield from _parameters(state)
    if sorts & {"value", "pred", "path"}:
        yield from _values(state, slot)
    if "path" in sorts and state.measured is not None:
        yield from (_Choice(path, "value", "of the first layer") for path in state.measured.inner_paths)
    yield from _functions(sorts, slot)
    if "word" in sorts and "pattern" in slot.trail and state.names is not None:
        scope = ("kinds", *map(str, slot.trail[: slot.trail.index("pattern")]))
        yield from (
            _Choice(one.text, "word", "a kind of layer") for one in state.names.definitions if one.scope == scope
        )


def _of_mask(state: State, slot: TreeSlot, before: str) -> Iterator[_Choice]:
    """Atoms, and fields that are masks; inside the brackets of an atom, what they may hold."""
    if _in_brackets_of_a_word(before):
        yield from _values(state, slot)
        yield from _numbers(state, slot)
        yield _Choice("not", "word", "of predicates", "not ")
        return
    yield from (_Choice(word, "mask", _first(atoms()[word]), _atom(word)) for word in atoms())
    sorts = {} if state.names is None else state.names.sorts.get(slot.scope, {})
    yield from (_Choice(name, "mask", "a field of the block") for name, sort in sorts.items() if sort == "mask")


def _in_brackets_of_a_word(before: str) -> bool:
    """Whether a text ends inside of the brackets behind a word, and not only in those that group terms."""
    open_: list[bool] = []
    for place, character in enumerate(before):
        if character == "(":
            open_.append(before[:place].rstrip()[-1:].isalnum())
        elif character == ")" and open_:
            open_.pop()
    return any(open_)


def _functions(sorts: frozenset[str], slot: TreeSlot) -> Iterator[_Choice]:
    """The words of a sort that are no names of the file."""
    if "expr" in sorts:
        yield from (_Choice(word, "function", "of a number", f"{word}(") for word in expr.FUNCTIONS)
    if "expr" in sorts and slot.trail[0] == "graph" and "attention" in slot.trail:
        yield _Choice(LAYER, "number", "the index of the layer, from 0")
    if "pred" in sorts:
        yield from (_Choice(word, "word", "of predicates") for word in WORDS)
    if "value" in sorts:
        yield from (_Choice(word, "function", "of a value", f"{word}(") for word in value.FUNCTIONS)


def _blocks(state: State, walk: Walk) -> Iterator[_Choice]:
    own = {one.text for one in state.names.definitions if one.scope == BLOCKS} if state.names is not None else set()
    for word in (*sorted(own), *(word for word in walk.known if word not in own)):
        block = walk.known.get(word)
        yield _Choice(word, "block", "a block of this file" if word in own else _first(block), word)


def _files(state: State, desk: Desk) -> Iterator[_Choice]:
    """Files beside the document, saved or not, and shipped specs."""
    own = Path(state.file)
    try:
        there = {*own.parent.glob("*.y*ml"), *(path for path in desk.opened if path.parent == own.parent)}
        shipped = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))
    except OSError:
        return
    beside = sorted(path.name for path in there if path != own)
    yield from (_Choice(name, "file", "a file beside this one") for name in beside[:200])
    yield from (_Choice(name, "file", "a shipped spec") for name in shipped)


def _visible(state: State, scope: str) -> tuple[Occurrence, ...]:
    return () if state.names is None else tuple(state.names.visible(scope).values())


def _values(state: State, slot: TreeSlot) -> Iterator[_Choice]:
    """Inputs and nodes, but for the node itself."""
    own = slot.trail[3] if slot.trail[:1] == ("blocks",) and len(slot.trail) > 3 else slot.trail[-1]
    own = slot.trail[1] if slot.trail[0] == "graph" and len(slot.trail) > 1 else own
    outputs = slot.trail[0] in ("rules", "decode")
    for one in _visible(state, slot.scope):
        if one.what in _VALUES and one.name.text != own and (outputs or one.what != "an output"):
            yield _named(state, one)


def _numbers(state: State, slot: TreeSlot) -> Iterator[_Choice]:
    for one in _visible(state, slot.scope):
        if one.what in _NUMBERS and not (slot.trail[0] == "constants" and one.name.text == slot.trail[-1]):
            yield _named(state, one)


def _named(state: State, one: Occurrence) -> _Choice:
    """A name, with its type or its value."""
    name, detail = one.name.text, one.what
    if state.measured is not None and one.name.scope == ("file",):
        found = state.measured.type_of(name)
        constant = state.measured.report.spec.constants.get(name)
        detail = str(found) if found is not None else f"= {number_text(constant)}" if constant is not None else one.what
    return _Choice(name, "value" if one.what in _VALUES else "number", detail)


def _parameters(state: State) -> Iterator[_Choice]:
    if state.measured is not None:
        for path in state.measured.parameter_paths:
            if "*" not in path:
                yield _Choice(path, "value", str(state.measured.type_of(path)))


def _atom(word: str) -> str:
    return word if atoms()[word].argument is None else f"{word}("


def _first(thing: type | None) -> str:
    return "" if thing is None else cleandoc(thing.__doc__ or "").partition("\n")[0]
