"""The sublayers of a layer, and the kinds of layers that change their fields."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from archspec.blocks.parts.attention import AttentionFields, CrossAttentionFields
from archspec.blocks.parts.feed_forward import FeedForwardFields
from archspec.diagnostics import Diagnostic, Label, SpecError
from archspec.schema.findings import key_span, missing
from archspec.schema.merge import merge
from archspec.schema.model import MAYBE, Model
from archspec.text.nodes import Entry, MapNode, Node


class Sublayers(Model):
    """The sublayers of one kind of layer."""

    attention: Annotated[AttentionFields | None, MAYBE] = Field(description="attention, or none")
    feed_forward: Annotated[FeedForwardFields | None, MAYBE] = Field(description="feed-forward, or none")


class CrossSublayers(Sublayers):
    """The sublayers of one kind of layer, including attention to another sequence."""

    cross_attention: Annotated[CrossAttentionFields | None, MAYBE] = Field(
        default=None, description="attention to another sequence"
    )


Kinds = Mapping[str, Sublayers]
CrossKinds = Mapping[str, CrossSublayers]


def lay_kinds(node: Node, data: dict[str, Any], fields: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Merge every kind in `data` over the sublayers `fields` of the stack, which are then removed from `data`.

    Yields the errors of the merge.
    """
    kinds = data.get("kinds")
    if not isinstance(kinds, MapNode):
        return
    base = [entry for entry in _entries(node) if entry.key.value in fields]
    laid = []
    for entry in kinds.entries:
        below = MapNode(entries=tuple(base), span=entry.value.span)
        # Every kind is merged, so that the errors of all of them are reported together.
        try:
            laid.append(Entry(key=entry.key, value=merge(below, entry.value)))
        except SpecError as error:
            yield from error.diagnostics
    data["kinds"] = MapNode(entries=tuple(laid), span=kinds.span)
    # Their fields are complete only together with a kind, so they are not read on their own.
    for field in fields:
        data.pop(field, None)


def check_fields(node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
    """Yield E203 for a missing sublayer if there are no kinds, E242 for `kinds` without `pattern` or the reverse."""
    if "kinds" not in data:
        yield from missing(node, data, "attention", "write `attention: none` for a layer without it")
        yield from missing(node, data, "feed_forward", "write `feed_forward: none` for a layer without it")
    for one, other in (("kinds", "pattern"), ("pattern", "kinds")):
        if one in data and other not in data:
            yield Diagnostic(code="E242", message=f"`{one}` needs `{other}`", primary=Label(key_span(node, one)))


def _entries(node: Node) -> tuple[Entry, ...]:
    """The entries of a map; none for other nodes, whose form has its own error."""
    return node.entries if isinstance(node, MapNode) else ()
