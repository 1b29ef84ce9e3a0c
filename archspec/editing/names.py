"""Where every name of a spec is defined and used: constants, dims, inputs, nodes, outputs, blocks, fields and kinds.

A name is told from a word by what its field holds, as when the file is read, and never by its spelling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

from archspec.diagnostics import Span, SpecError
from archspec.editing.layout_names import Part, ours
from archspec.editing.slots import BLOCK, INDEX, LAYOUT, LINES, NODE, REUSE, Trail, TreeSlot, Walk
from archspec.layouts.numbering import OURS
from archspec.masks.field import MASK_FIELDS
from archspec.record import field_names, record
from archspec.schema.model import Model
from archspec.schema.words import AxisText, Word
from archspec.spec.composite_definition import SUBSTITUTED
from archspec.spec.names import SECTIONS
from archspec.text.expr import Name
from archspec.text.mask import MaskName
from archspec.text.nodes import ListNode, MapNode, Node, TextNode
from archspec.text.path import Path
from archspec.text.reserved import LAYER
from archspec.text.types import TypeSyntax
from archspec.text.value import parse_value

Scope = tuple[str, ...]
FILE: Scope = ("file",)
BLOCKS: Scope = ("blocks",)
OUTPUTS: Scope = ("outputs",)
_RAW = ("about", "block", "reuse")
_MOST_PLACES = 64


@record(kw_only=False)
class NameOf:
    """A name and where it is known: the file, the body of a block, the blocks, or the kinds of layers of one node."""

    scope: Scope
    text: str


@record(kw_only=False)
class Occurrence:
    """One place where a name is written; `what` it is where it is defined there, such as `a node`, else empty.

    A name that a layout writes with others, as in `(image text)_states`, has all of them in `group`.
    """

    name: NameOf
    span: Span
    what: str = ""
    group: tuple[str, ...] = ()


@record(eq=False)
class NameIndex:
    """The occurrences of all names in the merged tree of a file, found once."""

    tree: MapNode
    walk: Walk

    @cached_property
    def all(self) -> tuple[Occurrence, ...]:
        """Every occurrence, each place once, definitions first."""
        found: dict[tuple[str, int, NameOf], Occurrence] = {}
        for one in (*self._defined.values(), *self._used()):
            found.setdefault((one.span.source.name, one.span.start, one.name), one)
        return tuple(found.values())

    @cached_property
    def definitions(self) -> Mapping[NameOf, Occurrence]:
        """Where each name is defined in this file or in one that it extends."""
        return self._defined

    def of(self, name: NameOf) -> tuple[Occurrence, ...]:
        """All occurrences of a name."""
        return tuple(one for one in self.all if one.name == name)

    def at(self, file: str, offset: int) -> Occurrence | None:
        """The occurrence at an offset, its end included; None if there is no name."""
        here = [one for one in self.all if one.span.source.name == file and one.span.start <= offset <= one.span.end]
        return max(here, key=lambda one: one.span.start, default=None)

    def visible(self, scope: str) -> Mapping[str, Occurrence]:
        """The names that a field may use: those of the body of a block, or those of the file."""
        wanted = ("body", scope) if scope else FILE
        return {name.text: one for name, one in self._defined.items() if name.scope == wanted}

    @cached_property
    def slots(self) -> tuple[TreeSlot, ...]:
        """Every slot of the merged tree."""
        return tuple(self.walk.slots(self.tree))

    # -- definitions

    @cached_property
    def _defined(self) -> dict[NameOf, Occurrence]:
        found: dict[NameOf, Occurrence] = {}
        for one in self._keys():
            found.setdefault(one.name, one)
        for one in self._outputs():
            found.setdefault(one.name, one)
        return found

    def _keys(self) -> Iterator[Occurrence]:
        for slot in self.slots:
            match slot.trail:
                case (section, _) if section in SECTIONS and slot.key:
                    yield Occurrence(NameOf(FILE, slot.key.value), slot.key.span, SECTIONS[str(section)])
                case ("blocks", _) if slot.key:
                    yield Occurrence(NameOf(BLOCKS, slot.key.value), slot.key.span, "a block")
                case ("blocks", block, "fields" | "inputs" | "graph" as section, _) if slot.key:
                    what = {"fields": "a field", "inputs": "an input", "graph": "a node"}[str(section)]
                    yield Occurrence(NameOf(("body", str(block)), slot.key.value), slot.key.span, what)
                    if section == "inputs":
                        yield from self._axes(slot)
                case (*above, "kinds", _) if slot.key and slot.form.models:
                    yield Occurrence(NameOf(_kinds(above), slot.key.value), slot.key.span, "a kind of layer")

    def _axes(self, slot: TreeSlot) -> Iterator[Occurrence]:
        """The axes that an input of a block binds."""
        for axis in (axis for one in leaves(self.read(slot)) if isinstance(one, TypeSyntax) for axis in one.axes):
            if isinstance(axis, Name):
                yield Occurrence(NameOf(("body", slot.scope), axis.name), axis.span, "an axis")

    def _outputs(self) -> Iterator[Occurrence]:
        """Outputs that are no node of that name: they take another value."""
        named = {one.name for one in self._keys()}
        for slot in self.slots:
            match slot.trail:
                case ("outputs", _) | ("blocks", _, "outputs", _) if slot.key:
                    scope = ("body", slot.scope) if slot.scope else FILE
                    taken = isinstance(slot.node, MapNode) and slot.node.get("from") is not None
                    clashes = NameOf(scope, slot.key.value) in named
                    if taken and clashes:
                        scope = (*OUTPUTS, slot.scope)
                    if taken or not clashes:
                        yield Occurrence(NameOf(scope, slot.key.value), slot.key.span, "an output")

    # -- uses

    def _used(self) -> Iterator[Occurrence]:
        for slot in self.slots:
            yield from self._key(slot)
            yield from self._text(slot)
            if slot.form is LINES:
                yield from self._layout(slot)
        for block in self.sorts:
            yield from self._substituted(block)

    def _key(self, slot: TreeSlot) -> Iterator[Occurrence]:
        """A key that is a name defined elsewhere."""
        if slot.key is None:
            return
        match slot.trail:
            case ("reduced", "constants" | "dims", _):
                yield Occurrence(NameOf(FILE, slot.key.value), slot.key.span)
            case ("outputs", _) | ("blocks", _, "outputs", _):
                scope = ("body", slot.scope) if slot.scope else FILE
                yield Occurrence(NameOf(scope, slot.key.value), slot.key.span)
            case ("graph", *_) | ("blocks", _, "graph", *_) if slot.form not in (NODE, BLOCK, REUSE):
                yield from self._argument(slot, slot.key)

    def _argument(self, slot: TreeSlot, key: TextNode) -> Iterator[Occurrence]:
        """A key in a call of a user-defined block: the name of one of its fields or inputs."""
        if isinstance(slot.holder, MapNode) and _is_node(slot.trail[:-1]):
            word = self.walk.block_word(slot.holder, slot.trail[:-1])
            name = None if word is None else NameOf(("body", word.value), key.value)
            if name is not None and name in self._defined:
                yield Occurrence(name, key.span)

    def _text(self, slot: TreeSlot) -> Iterator[Occurrence]:
        """The names in a text."""
        node = slot.node
        if not isinstance(node, TextNode):
            return
        if slot.form is BLOCK:
            if NameOf(BLOCKS, node.value) in self._defined:
                yield Occurrence(NameOf(BLOCKS, node.value), node.span)
        elif slot.form is REUSE:
            yield Occurrence(NameOf(self._scope(slot), node.value), node.span)
        else:
            for leaf in leaves(self.read(slot)):
                yield from self._leaf(leaf, slot)

    def _leaf(self, leaf: Any, slot: TreeSlot) -> Iterator[Occurrence]:
        scope = self._scope(slot)
        if isinstance(leaf, Path):
            yield from self._path(leaf, slot)
        elif isinstance(leaf, (Name, MaskName)) and leaf.name not in _unnamed(slot):
            yield Occurrence(NameOf(scope, leaf.name), leaf.span)
        elif isinstance(leaf, AxisText) and isinstance(leaf.value, str):
            yield Occurrence(NameOf(scope, leaf.value), leaf.span)
        elif isinstance(leaf, Word) and "pattern" in slot.trail:
            above = slot.trail[: len(slot.trail) - slot.trail[::-1].index("pattern") - 1]
            yield Occurrence(NameOf(_kinds(above), leaf.text), leaf.span)

    def _path(self, path: Path, slot: TreeSlot) -> Iterator[Occurrence]:
        name = NameOf(self._scope(slot), path.parts[0])
        output = NameOf((*OUTPUTS, slot.scope), path.parts[0])
        if slot.trail == ("decode", "output") and output in self._defined:
            name = output
        yield Occurrence(name, path.part_span(0))
        steps = PathSteps(self.walk, self._defined, slot.scope, path.parts[0])
        for number, part in enumerate(path.parts[1:], 1):
            found, steps = steps.step(part)
            if found is not None:
                yield Occurrence(found, path.part_span(number))

    def _layout(self, slot: TreeSlot) -> Iterator[Occurrence]:
        """Names of nodes in a layout: the first parts of our names."""
        if len(slot.trail) != 3:
            return
        for parts in ours(slot.node):
            yield from _in_layout(parts, self)

    @cached_property
    def sorts(self) -> Mapping[str, Mapping[str, str]]:
        """The sorts of the fields of each block, by its name."""
        section = self.tree.get("blocks")
        found: dict[str, Mapping[str, str]] = {}
        for entry in section.entries if isinstance(section, MapNode) else ():
            fields = entry.value.get("fields") if isinstance(entry.value, MapNode) else None
            given = fields.entries if isinstance(fields, MapNode) else ()
            found[entry.key.value] = {one.key.value: _sort(one.value) for one in given}
        return found

    def _substituted(self, block: str) -> Iterator[Occurrence]:
        """Words in a body that are replaced by what a call gives: each is the name of a field."""
        graph = self.walk.graph(block)
        own = {name for name, sort in self.sorts[block].items() if sort in SUBSTITUTED}
        for text in _texts(graph) if graph is not None else ():
            if text.value in own and not text.quoted:
                yield Occurrence(NameOf(("body", block), text.value), text.span)

    # -- reading

    @staticmethod
    def _scope(slot: TreeSlot) -> Scope:
        return ("body", slot.scope) if slot.scope else FILE

    def read(self, slot: TreeSlot) -> Any:
        """What a text is read as; None for one that does not fit its field."""
        if not isinstance(slot.node, TextNode) or slot.form in (BLOCK, REUSE, LAYOUT):
            return None
        sorts = self.sorts.get(slot.scope, {})
        token = MASK_FIELDS.set(frozenset(name for name, sort in sorts.items() if sort == "mask"))
        try:
            return parse_value(slot.node) if slot.form is NODE else slot.form.read(slot.node)
        except SpecError:
            return None
        finally:
            MASK_FIELDS.reset(token)


@record(kw_only=False, eq=False)
class PathSteps:
    """A place inside a node, while a path is followed: only bodies of user-defined blocks have names of their own."""

    walk: Walk
    defined: Mapping[NameOf, Occurrence]
    scope: str
    name: str
    parts: tuple[str, ...] = field(default=())

    def step(self, part: str) -> tuple[NameOf | None, PathSteps]:
        """The name that a further part of the path is, None for none, and the place after it."""
        block = self._block(part)
        if block is None:
            return None, PathSteps(self.walk, self.defined, self.scope, self.name, (*self.parts, part))
        for scope in (("body", block), (*OUTPUTS, block)):
            name = NameOf(scope, part)
            if name in self.defined:
                return name, PathSteps(self.walk, self.defined, block, part)
        return None, PathSteps(self.walk, self.defined, self.scope, self.name, (*self.parts, part))

    def _block(self, part: str) -> str | None:
        """The user-defined block that the place is in, unless the part is the number of a layer or of a chain."""
        if part == "*" or part.isdecimal():
            return None
        graph = self.walk.graph(self.scope)
        node = None if graph is None else graph.get(self.name)
        numbers = [int(one) for one in self.parts if one.isdecimal()]
        while isinstance(node, ListNode) and node.items:
            number = numbers.pop(0) if numbers else len(node.items) - 1
            node = node.items[min(number, len(node.items) - 1)]
        word = None if node is None else self.walk.block_word(node, self._trail())
        return None if word is None or NameOf(BLOCKS, word.value) not in self.defined else word.value

    def _trail(self) -> Trail:
        return ("blocks", self.scope, "graph", self.name) if self.scope else ("graph", self.name)


def leaves(thing: Any) -> Iterator[Any]:
    """Every name, path, word, axis and type in what a field was read as, in the written order."""
    if isinstance(thing, (Path, Name, MaskName, AxisText, Word)):
        yield thing
    elif isinstance(thing, Model):
        for name in type(thing).model_fields:
            if name in thing.given:
                yield from leaves(getattr(thing, name))
    elif isinstance(thing, (list, tuple)):
        for one in thing:
            yield from leaves(one)
    elif isinstance(thing, dict):
        for one in thing.values():
            yield from leaves(one)
    else:
        if isinstance(thing, TypeSyntax):
            yield thing
        for name in field_names(thing):
            if name not in ("span", "at"):
                yield from leaves(getattr(thing, name))


def _in_layout(parts: tuple[Part, ...], names: NameIndex) -> Iterator[Occurrence]:
    """The names in our side of a line."""
    places: list[PathSteps | None] = [None]
    for part in parts:
        after: list[PathSteps | None] = []
        for place in places:
            for one in part:
                step = place
                for text, span in one.pieces():
                    name: NameOf | None = NameOf(FILE, text)
                    if step is None:
                        step = PathSteps(names.walk, names.definitions, "", text)
                    else:
                        name, step = step.step(text)
                    if span is not None and name is not None and name in names.definitions:
                        yield Occurrence(name, span, group=one.group)
                after.append(step)
        places = after[:_MOST_PLACES]


def _unnamed(slot: TreeSlot) -> tuple[str, ...]:
    """Names that numbers give themselves: the index of a layer, and that of a tensor in `index`."""
    return (LAYER, OURS) if slot.form is INDEX else (LAYER,)


def _kinds(trail: Any) -> Scope:
    """The scope of the kinds of layers of the stack at a trail."""
    return ("kinds", *map(str, trail))


def _is_node(trail: Trail) -> bool:
    """Whether a trail leads to a node, or to a part of a chain."""
    inner = trail[1:] if trail[:1] == ("graph",) else trail[3:] if trail[2:3] == ("graph",) else ()
    return len(inner) >= 1 and all(isinstance(step, int) for step in inner[1:])


def _sort(node: Node) -> str:
    """The sort of a field of a block."""
    found = node.get("type") if isinstance(node, MapNode) else node
    return found.value if isinstance(found, TextNode) else ""


def _texts(node: Node) -> Iterator[TextNode]:
    """The texts below a node that may be replaced by fields."""
    if isinstance(node, TextNode):
        yield node
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _texts(item)
    else:
        for entry in node.entries:
            if entry.key.value not in _RAW:
                yield from _texts(entry.value)
