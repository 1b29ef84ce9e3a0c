"""The section `reduced`: the small copy of an architecture for tests."""

from __future__ import annotations

from dataclasses import replace

from archspec.diagnostics import fail
from archspec.schema.merge import merge
from archspec.spec.inheritance import canonical
from archspec.text.nodes import Entry, MapNode


def reduced(tree: MapNode) -> MapNode:
    """The tree with its constants and dims replaced by those of its `reduced` section, where that has them.

    Raises SpecError E203 if the file has no such section.
    """
    section = tree.get("reduced")
    if section is None:
        help = "write the section, or leave `--reduced` out"
        fail("E203", "the file has no `reduced` section", tree.place, help=help)
    if not isinstance(section, MapNode):
        return tree
    return replace(tree, entries=tuple(_shrunk(entry, section) for entry in tree.entries))


def is_reduced(tree: MapNode) -> bool:
    """Whether a file is its own small copy, as the spec in a bundle of a reduced build is."""
    section = tree.get("reduced")
    return isinstance(section, MapNode) and canonical(reduced(tree)) == canonical(tree)


def _shrunk(entry: Entry, section: MapNode) -> Entry:
    """A section of the file with the replacements under `reduced`; only constants and dims have any."""
    small = section.get(entry.key.value)
    if entry.key.value in ("constants", "dims") and isinstance(small, MapNode) and isinstance(entry.value, MapNode):
        return replace(entry, value=merge(entry.value, small))
    return entry
