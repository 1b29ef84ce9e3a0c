"""The block `encoder`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from archspec.blocks.transformer import Stack
from archspec.diagnostics import Diagnostic, Label
from archspec.text.nodes import MapNode, Node


class EncoderBlock(Stack):
    """Layers of attention and feed-forward sublayers, without attention to another sequence."""

    block: ClassVar[str] = "encoder"
    kind: ClassVar[str] = "Encoder"

    @classmethod
    def _data(cls, node: Node, found: list[Diagnostic]) -> dict[str, Any]:
        key = node.key("cross_attention") if isinstance(node, MapNode) else None
        if key is None or not isinstance(node, MapNode):
            return super()._data(node, found)
        found.append(
            Diagnostic(
                code="E241",
                message="`cross_attention` does not apply to `encoder`",
                primary=Label(key.span),
                help="use the block `decoder` or `transformer`",
            )
        )
        # Read without the field, so that it is not reported a second time as an unknown key.
        entries = tuple(entry for entry in node.entries if entry.key is not key)
        return super()._data(replace(node, entries=entries), found)
