"""A layout as data: how a checkpoint names and shapes the parameters of an architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from itertools import product
from pathlib import Path

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Collector, Span, fail
from archspec.layouts.line import MapLine, read_lines
from archspec.layouts.names import NamePattern, parse_name
from archspec.layouts.rename import Rename, foreign_wrappers, read_renames
from archspec.layouts.tie import TiedNames, read_ties
from archspec.record import record
from archspec.schema.model import unknown_key
from archspec.schema.reading import place
from archspec.spec.files import read_file
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

FIELDS: Mapping[str, tuple[str, str]] = {
    "about": ("text", "the checkpoints that have this layout"),
    "prefix": ("list of texts", "prefixes of their names; each name is looked up with each prefix in turn"),
    "rename": ("map of names", "whole parts of their names (between dots) and what the map calls them; applied first"),
    "skip": ("list of names", "tensors or modules of theirs that the architecture does not use"),
    "tied": (
        "map of names",
        "pairs of their names for one tensor; a file may have either or both, and if both, all bits must agree",
    ),
    "map": ("map of names", "our names, each with what it is made from"),
}
"""The keys of a layout, each with its type and description."""
KEYS = list(FIELDS)


@record
class Layout:
    """One layout of a spec's `weights` section.

    The names of a checkpoint are renamed first. A name that the map, `tied` or `skip` writes is then looked up with
    each prefix in turn, and the first one found is used.
    """

    name: str
    lines: tuple[MapLine, ...]
    prefixes: tuple[str, ...] = ("",)
    renames: tuple[Rename, ...] = ()
    skip: tuple[NamePattern, ...] = ()
    tied: TiedNames = field(default=TiedNames())
    about: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def wrappers(self) -> tuple[str, ...]:
        """The wrapper prefixes to remove from their names: all that the layout does not write itself."""
        # A layout that writes a wrapper itself, as a prefix or in a name, needs it kept.
        names = [name for line in self.lines for name in line.theirs]
        names += [*self.skip, *(rename.old for rename in self.renames)]
        return foreign_wrappers([*self.prefixes, *(f"{name}." for name in names)])


def spread(pattern: NamePattern) -> list[NamePattern]:
    """Return one pattern without groups for each choice of texts from its groups."""
    choices = product(*(range(len(group)) for group in pattern.groups))
    return [pattern.chosen(dict(enumerate(choice))) for choice in choices]


def read_layout(name: str, node: Node, constants: Mapping[str, Scalar] | None = None) -> Layout:
    """Read a layout from a map, or from a file whose name is relative to the file that names it.

    `constants` are the values that `sizes` and `index` may use. Raises SpecError with every error in the layout.
    """
    found = Collector()
    layout = collect_layout(name, node, constants or {}, found)
    found.raise_if_errors()
    return layout


def collect_layout(name: str, node: Node, constants: Mapping[str, Scalar], found: Collector) -> Layout:
    """Read a layout as far as possible; errors are added to `found`.

    Raises SpecError if the node or the file is not a map, or the file cannot be read.
    """
    if isinstance(node, TextNode):
        node = read_file(Path(node.span.source.name).parent / node.value, node.span)
    if not isinstance(node, MapNode):
        fail("E204", f"layout `{name}` is a list", place(node), help="write a map, or the name of a file")
    for entry in node.entries:
        if entry.key.value not in KEYS:
            found.add(unknown_key(entry.key, KEYS))
    if node.get("map") is None:
        found.error("E203", "missing field `map`", node.span)
    return _read_fields(name, node, constants, found)


def _read_fields(name: str, node: MapNode, constants: Mapping[str, Scalar], found: Collector) -> Layout:
    """Read the fields of a layout; errors in them are added to `found`."""
    prefixes = [text.value for text in _texts(node.get("prefix"), "prefixes", found)]
    skip = []
    for text in _texts(node.get("skip"), "names", found):
        with found.catching():
            skip.append(parse_name(text))
    about = node.get("about")
    if about is not None and not isinstance(about, TextNode):
        found.error("E204", "expected text", about.span)
    return Layout(
        name=name,
        lines=tuple(read_lines(node.get("map"), constants, found)),
        # Without prefixes, names are looked up as they are.
        prefixes=tuple(prefixes) or ("",),
        renames=read_renames(node.get("rename"), found),
        skip=tuple(skip),
        tied=read_ties(node.get("tied"), found),
        about=about.value if isinstance(about, TextNode) else "",
        span=node.span,
    )


def _texts(node: Node | None, what: str, found: Collector) -> list[TextNode]:
    """Return the texts of a list; a single text is a list of one, an unquoted `none` an empty list."""
    if node is None or (isinstance(node, TextNode) and node.value == "none" and not node.quoted):
        return []
    if isinstance(node, TextNode):
        return [node]
    if not isinstance(node, ListNode):
        found.error("E204", f"expected a list of {what}, found a map", node.span)
        return []
    for item in node.items:
        if not isinstance(item, TextNode):
            found.error("E204", "expected text", item.span)
    return [item for item in node.items if isinstance(item, TextNode)]
