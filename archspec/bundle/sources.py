"""What a bundle takes from a spec: its interface, its texts, the emitted module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archspec.bundle.spec_text import spec_text
from archspec.engines.interface import DimRange, InputPort, Interface
from archspec.lower.emission import emit
from archspec.model.checked import Checked
from archspec.spec import InputSpec, Spec
from archspec.spec.files import read_file
from archspec.text.nodes import Entry, MapNode, Node, TextNode

SPEC = "spec.yaml"
ORIGINAL = "spec.original.yaml"
MODULE = "model.py"
WEIGHTS = "model.safetensors"


def interface_of(spec: Spec) -> Interface:
    """Dims, inputs and outputs of a spec, sizes resolved."""
    dims = {
        name: DimRange(min=d.min, typical=d.typical, max=d.max, multiple=d.multiple) for name, d in spec.dims.items()
    }
    inputs = {name: _port(given) for name, given in spec.inputs.items()}
    return Interface(dims=dims, inputs=inputs, outputs={name: str(v.type) for name, v in spec.outputs.items()})


def _port(given: InputSpec) -> InputPort:
    return InputPort(type=str(given.type), default=given.default, padding=given.padding, sorted=given.sorted)


def texts_of(checked: Checked) -> dict[str, str]:
    """The text files of a bundle: the resolved spec, the one that was written, and the emitted module."""
    spec = checked.spec
    original = spec.path.read_text(encoding="utf-8")
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
