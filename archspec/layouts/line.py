"""Read the lines of a map: our name, their names and the operations between them; nested maps are flattened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Collector, Span, fail
from archspec.layouts.names import NamePattern, parse_name
from archspec.layouts.numbering import Numbering, read_numbering
from archspec.layouts.operations import Operation
from archspec.layouts.pairing import Pairing, pair
from archspec.layouts.read_operations import OPERATIONS, read_operations
from archspec.record import record
from archspec.schema.model import unknown_key
from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode

FIELDS: Mapping[str, tuple[str, str]] = {
    "from": ("name, or list of names", "their name; several are joined by `concat` or `stack`"),
    "index": ("expr over `i`", "their index in place of the one `*` in `from`, computed from ours: `2*i + 1`"),
    "map": ("map of names", "lines whose names are relative to the modules on both sides"),
    # Each operation declares its own key, so that a new one is known here.
    **{kind.word: (kind.holds, kind.summary()) for kind in Operation.__subclasses__()},
    "sizes": ("map of exprs", "sizes of axes that a `rearrange` pattern leaves open, by name; constants only"),
}
"""The keys of a line that is a map, each with its type and description."""
KEYS = list(FIELDS)


@record(eq=False)
class MapLine:
    """One line of a map.

    `pairing` says which groups belong together; `numberings` gives, by the position of an index, how theirs is computed
    from ours. `span` is where our name is written, `place` where theirs are.
    """

    ours: NamePattern
    theirs: tuple[NamePattern, ...]
    operations: tuple[Operation, ...] = ()
    pairing: Pairing
    numberings: Mapping[int, Numbering] = field(default_factory=dict)
    span: Span
    place: Span


@record
class _Outer:
    """The names around a nested map on both sides, and how indices in them are numbered."""

    ours: NamePattern | None = None
    theirs: NamePattern | None = None
    numberings: Mapping[int, Numbering] = field(default_factory=dict)


def read_lines(node: Node | None, constants: Mapping[str, Scalar], found: Collector) -> list[MapLine]:
    """Return every line of a map with its full names; errors are added to `found`."""
    return [] if node is None else list(_lines(node, _Outer(), constants, found))


def _lines(node: Node, outer: _Outer, constants: Mapping[str, Scalar], found: Collector) -> Iterator[MapLine]:
    """Yield the lines of a map whose names are relative to `outer`; an entry that is `none` has no line."""
    if not isinstance(node, MapNode):
        if not _is_none(node):
            found.error("E204", "expected a map from our names to theirs", node.span)
        return
    for entry in node.entries:
        if _is_none(entry.value):
            continue
        with found.catching():
            ours = parse_name(entry.key)
            if not ours.pieces:
                fail("E510", "our name is empty", entry.key.span, help="name a parameter or a module")
            here = _Outer(
                ours=ours.inside(outer.ours),
                theirs=outer.theirs,
                numberings={**outer.numberings, **_numberings(entry, ours, outer, constants)},
            )
            yield from _entry(entry, here, constants, found)


def _entry(entry: Entry, here: _Outer, constants: Mapping[str, Scalar], found: Collector) -> Iterator[MapLine]:
    """Yield the lines of one entry: one, or those of its nested map."""
    value = entry.value
    if isinstance(value, TextNode):
        yield _line(entry.key, here, value, None, constants)
        return
    if isinstance(value, ListNode):
        help = "write `{from: [...], concat: 0}`, or a group such as `(q k v)`"
        fail("E204", "expected their name, found a list", value.span, help=help)
    for inner in value.entries:
        if inner.key.value not in KEYS:
            found.add(unknown_key(inner.key, KEYS))
    source = value.get("from")
    if source is None:
        fail("E203", "missing field `from`", entry.key.span)
    nested = value.get("map")
    if nested is None:
        yield _line(entry.key, here, source, value, constants)
        return
    _check_nested(value)
    if not isinstance(source, TextNode):
        fail("E204", "expected the name of their module", source.span)
    theirs = parse_name(source).inside(here.theirs)
    yield from _lines(nested, replace(here, theirs=theirs), constants, found)


def _numberings(
    entry: Entry, ours: NamePattern, outer: _Outer, constants: Mapping[str, Scalar]
) -> dict[int, Numbering]:
    """Return how the one `*` in an entry's own names is numbered; empty without `index`.

    Raises SpecError E511 if either side has no `*` of its own, or several.
    """
    index = entry.value.get("index") if isinstance(entry.value, MapNode) else None
    if index is None or not isinstance(entry.value, MapNode):
        return {}
    source = entry.value.get("from")
    theirs = [parse_name(name) for name in _names(source)] if source is not None else []
    if ours.stars != 1 or any(name.stars != 1 for name in theirs):
        message = "`index` applies to exactly one `*`, in our name and in theirs"
        fail("E511", message, index.span, help="write `layers.*: {from: blocks.*, index: 2*i + 1, map: ...}`")
    # Indices are numbered over the whole name, and those of the modules around it come first.
    place = outer.ours.stars if outer.ours is not None else 0
    return {place: read_numbering(index, constants)}


def _check_nested(value: MapNode) -> None:
    """Raise E511 for an operation next to `map`: it would not be clear to which inner line it applies."""
    for entry in value.entries:
        if entry.key.value in (*OPERATIONS, "sizes"):
            help = "write the operation on the lines of the inner map"
            fail("E511", f"`{entry.key.value}` next to `map`", entry.key.span, help=help)


def _line(
    key: TextNode, here: _Outer, source: Node, fields: MapNode | None, constants: Mapping[str, Scalar]
) -> MapLine:
    """Build a line from the texts of both sides. Raises SpecError for names or operations that do not parse or pair."""
    # `_lines` sets our name before it reads an entry.
    assert here.ours is not None
    theirs = tuple(parse_name(name).inside(here.theirs) for name in _names(source))
    is_list = isinstance(source, ListNode)
    steps = read_operations(fields, constants)
    pairing = pair(here.ours, theirs, [step.word for step in steps], is_list=is_list, place=source.span)
    return MapLine(
        ours=here.ours,
        theirs=theirs,
        operations=tuple(step.build(pairing) for step in steps),
        pairing=pairing,
        numberings=here.numberings,
        span=key.span,
        place=source.span,
    )


def _names(source: Node) -> list[TextNode]:
    """Return the texts of `from`, one or several. Raises SpecError E204 for anything else."""
    if isinstance(source, TextNode):
        return [source]
    items = source.items if isinstance(source, ListNode) else ()
    names = [item for item in items if isinstance(item, TextNode)]
    if not names or len(names) != len(items):
        fail("E204", "expected their name, or a list of their names", source.span)
    return names


def _is_none(node: Node) -> bool:
    return isinstance(node, TextNode) and node.value == "none" and not node.quoted
