"""A user-defined block as its file writes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from archspec.blocks.parts.block import Block
from archspec.diagnostics import Collector, Span
from archspec.masks.field import MASK_FIELDS
from archspec.record import record
from archspec.spec.document import BlockFields
from archspec.spec.nodes import GraphNode, NodeReader
from archspec.spec.substitution import substitute
from archspec.text.nodes import MapNode, Node, TextNode
from archspec.text.path import Path

_SAMPLES = {"bool": "false", "activation": "relu", "norm": "layer_norm", "init": "ones"}
"""Sorts of fields that are substituted into the nodes, each with a sample value to check a body without a call."""
SUBSTITUTED = frozenset(_SAMPLES)
"""Sorts of fields whose names in a body are replaced by what a call gives."""

Known = Mapping[str, type[Block]]


@record
class Definition:
    """A user-defined block as the file writes it.

    `places` are the spans of all names of its body, `known` the blocks that its nodes may name, and `own` the names
    of all blocks that the file defines, those with an error included.
    """

    name: str
    span: Span
    fields: BlockFields
    tree: MapNode
    places: Mapping[str, Span]
    known: Known
    own: Collection[str]

    def nodes(self, given: Mapping[str, Node]) -> list[GraphNode]:
        """The nodes of the body after `given` fields are substituted. Raises SpecError with every error in them."""
        findings = Collector()
        graph = self.tree.get("graph")
        assert isinstance(graph, MapNode)
        raw = {entry.key.value: substitute(entry.value, given) for entry in graph.entries}
        reader = NodeReader(raw, self.known, self.own)
        # Masks are parsed by pydantic, which passes no context, so the known field names go through a context variable.
        token = MASK_FIELDS.set(frozenset(name for name, one in self.fields.fields.items() if one.type == "mask"))
        read: list[GraphNode] = []
        try:
            for entry in graph.entries:
                with findings.catching():
                    read.append(reader.read(entry.key.value, entry.key.span))
        finally:
            MASK_FIELDS.reset(token)
        findings.raise_if_errors()
        return read

    def samples(self) -> dict[str, Node]:
        """A sample node for each field that is substituted into the body, to check the body without a call."""
        sorts = {name: one.type for name, one in self.fields.fields.items()}
        return {
            name: TextNode(value=_SAMPLES[sort], span=self.places[name])
            for name, sort in sorts.items()
            if sort in _SAMPLES
        }

    def outputs(self) -> dict[str, Path]:
        """The path of the value of each output: its `from`, otherwise the node with its name."""
        section = self.tree.get("outputs")
        assert isinstance(section, MapNode)
        keys = {entry.key.value: entry.key.span for entry in section.entries}
        given = self.fields.outputs
        return {name: given[name].source or Path(parts=(name,), span=span) for name, span in keys.items()}
