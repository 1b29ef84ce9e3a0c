"""What a bundle takes from a spec: its interface, its texts, the emitted module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archspec.bundle.spec_text import spec_text
from archspec.lower.emission import emit
from archspec.model.checked import Checked
from archspec.spec.files import read_file, text_of
from archspec.text.nodes import Entry, MapNode, Node, TextNode

SPEC = "spec.yaml"
ORIGINAL = "spec.original.yaml"
MODULE = "model.py"
WEIGHTS = "model.safetensors"


def texts_of(checked: Checked) -> dict[str, str]:
    """The text files of a bundle: the resolved spec, the one that was written, and the emitted module."""
    spec = checked.spec
    original = text_of(spec.path)
    return {SPEC: spec_text(standing_alone(spec.tree)), ORIGINAL: original, MODULE: emit(checked)}


def standing_alone(tree: MapNode) -> MapNode:
    """The document without other files: weight layouts that it names by file are written into it."""
    return replace(tree, entries=tuple(_with_layouts(entry) for entry in tree.entries))


def _with_layouts(entry: Entry) -> Entry:
    if entry.key.value != "weights" or not isinstance(entry.value, MapNode):
        return entry
    layouts = tuple(replace(layout, value=_layout(layout.value)) for layout in entry.value.entries)
    return replace(entry, value=replace(entry.value, entries=layouts))


def _layout(node: Node) -> Node:
    if not isinstance(node, TextNode) or (node.value == "none" and not node.quoted):
        return node
    return read_file(Path(node.span.source.name).parent / node.value, node.span)
