"""The field `extends`: merge a file over its single parent, depth first."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import Label, Span, fail
from archspec.schema.merge import merge
from archspec.spec.files import locate_parent, read_file
from archspec.text.nodes import MapNode, Node, TextNode

NOT_INHERITED = ("extends", "counts")
"""Sections that apply only to the file that contains them: counts are those of its own constants."""


def inherited(path: Path) -> MapNode:
    """Read a file and merge it over the files that it extends.

    Raises SpecError E207 if files extend each other in a cycle, E208 for a file that cannot be read, E206 where the
    `block` of a node would change, E204 for an `extends` that is not a text, E1xx for errors of a text.
    """
    return _merged(path, read_file(path), ())


def _merged(path: Path, own: MapNode, seen: tuple[tuple[Path, Span], ...]) -> MapNode:
    """A file merged over the files that it extends; `seen` are the files that lead to it, with their `extends`."""
    extends = own.get("extends")
    if extends is None:
        return own
    if not isinstance(extends, TextNode):
        fail("E204", "expected the name of a file or of a shipped spec", extends.span)
    # Resolved, so that a file reached through a link or another relative path is recognised.
    above = (*seen, (path.resolve(), extends.span))
    parent = locate_parent(extends)
    _check_circle(parent, above)
    base = _merged(parent, read_file(parent, extends.span), above)
    kept = tuple(entry for entry in base.entries if entry.key.value not in NOT_INHERITED)
    merged = merge(MapNode(entries=kept, span=base.span), own)
    # `own` is a map, and `merge` returns a map whenever its second argument is one.
    assert isinstance(merged, MapNode)
    return merged


def _check_circle(parent: Path, seen: tuple[tuple[Path, Span], ...]) -> None:
    """Raise SpecError E207 if the parent is among the files that are being read."""
    files = [file for file, _ in seen]
    if parent.resolve() not in files:
        return
    spans = [span for _, span in seen[files.index(parent.resolve()) :]]
    fail(
        "E207",
        "cyclic `extends`" if len(spans) > 1 else "the file extends itself",
        spans[-1],
        secondary=[Label(span, "which is extended here") for span in spans[:-1]],
        help="extend a file that does not extend this one",
    )


def canonical(node: Node) -> object:
    """The tree without spans as JSON data, for a digest: texts, lists, and maps as lists of pairs.

    The order of keys counts; quotes, comments and layout do not.
    """
    if isinstance(node, TextNode):
        return node.value
    if isinstance(node, MapNode):
        return {"map": [[entry.key.value, canonical(entry.value)] for entry in node.entries]}
    return [canonical(item) for item in node.items]
