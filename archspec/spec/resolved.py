"""The document of a spec without references to other files: what bundles hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archspec.spec.files import read_file
from archspec.text.nodes import Entry, MapNode, Node, TextNode


def resolved(tree: MapNode, *, as_written: bool) -> MapNode:
    """The merged document made self-contained: `extends` is removed, and layouts in other files are inserted.

    `counts` hold for the constants of the file, so they are removed unless these are `as_written`. Raises SpecError
    E208 for a layout file that cannot be read, E1xx for errors of its text.
    """
    dropped = {"extends"} if as_written else {"extends", "counts"}
    kept = (entry for entry in tree.entries if entry.key.value not in dropped)
    return replace(tree, entries=tuple(_with_layouts(entry) for entry in kept))


def _with_layouts(entry: Entry) -> Entry:
    """A section of the file; in `weights`, each name of a layout file is replaced by the contents of the file."""
    if entry.key.value != "weights" or not isinstance(entry.value, MapNode):
        return entry
    layouts = tuple(replace(layout, value=_layout(layout.value)) for layout in entry.value.entries)
    return replace(entry, value=replace(entry.value, entries=layouts))


def _layout(node: Node) -> Node:
    # In quotes it is the name of a file, without them the word for no layout.
    if not isinstance(node, TextNode) or (node.value == "none" and not node.quoted):
        return node
    return read_file(Path(node.span.source.name).parent / node.value, node.span)
