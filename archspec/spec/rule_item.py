"""Read one rule: a map with a single key, which is the kind."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from archspec.diagnostics import Diagnostic, Label, Span, SpecError, fail
from archspec.record import record
from archspec.schema.model import unknown_key
from archspec.schema.plain import Plain
from archspec.schema.reading import Items
from archspec.spec.rule_fields import RuleFields
from archspec.spec.rules import rule_words
from archspec.text.nodes import MapNode, TextNode

_HELP = "write `- causal: {output: logits, input: ids}`"


@record
class RuleItem:
    """One rule as written: its kind, its fields, and its span."""

    kind: str
    fields: RuleFields
    at: Span


def _read(node: Any) -> RuleItem:
    """Read a rule from its node. Raises SpecError with every error in it."""
    written = node.node if isinstance(node, Items) else node
    if not isinstance(written, MapNode):
        fail("E204", f"expected a map, found a {'text' if isinstance(written, TextNode) else 'list'}", written.span)
    known = rule_words()
    unknown = [unknown_key(entry.key, list(known)) for entry in written.entries if entry.key.value not in known]
    if unknown:
        raise SpecError(unknown)
    if len(written.entries) != 1:
        raise SpecError([_not_one(written)])
    (entry,) = written.entries
    kind = entry.key.value
    return RuleItem(kind=kind, fields=known[kind].fields.read(entry.value), at=written.span)


def _not_one(node: MapNode) -> Diagnostic:
    message = "a rule must have exactly one kind" if node.entries else "an empty rule"
    place = node.entries[1].key.span if node.entries else node.span
    return Diagnostic(code="E204", message=message, primary=Label(place), help=_HELP)


def item_schema(schemas: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a rule; `schemas` gives the schema of the fields of each kind."""
    head = {"description": "one rule: its kind and its fields", "type": "object", "additionalProperties": False}
    return {**head, "properties": schemas, "minProperties": 1, "maxProperties": 1}


RuleField = Annotated[RuleItem, Plain(_read), WithJsonSchema({"format": "rule"})]
