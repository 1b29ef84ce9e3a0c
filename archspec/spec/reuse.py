"""The field `reuse`: run the module of another node with other inputs."""

from __future__ import annotations

from typing import Any

from archspec.blocks.parts.block import Block
from archspec.diagnostics import fail
from archspec.schema.merge import merge
from archspec.schema.model import Model
from archspec.spec.syntax import Syntax
from archspec.text.arithmetic import Number
from archspec.text.nodes import ListNode, MapNode, Node


def reused(kind: type[Block], source: MapNode, given: MapNode) -> Block:
    """The block of `source` with the fields of `given` replacing its own.

    Raises SpecError E217 for a changed field that is not a value, a predicate or a mask: it would need another module.
    """
    # Read on its own first, so that errors of the original are not reported as errors of the reuse.
    kind.read(source)
    merged = merge(source, given)
    block = kind.read(merged)
    _check(block, given, "")
    return block


def _check(made: Any, given: Node, name: str) -> None:
    """Walk the given nodes and the fields read from them together, to check each changed field by its sort."""
    if isinstance(given, MapNode) and isinstance(made, (Model, dict)):
        for entry in given.entries:
            key = entry.key.value
            # What a node is for may differ between uses: the module does not depend on it.
            if key != "about":
                _check(_field(made, key), entry.value, key)
    elif isinstance(given, ListNode) and isinstance(made, list):
        for item, node in zip(made, given.items, strict=False):
            _check(item, node, name)
    elif not isinstance(made, Syntax) or isinstance(made, Number) or name == "tie":
        # A tie is written like a value, but it names a parameter and so belongs to the module.
        help = "remove it: the module is shared unchanged"
        fail("E217", f"`{name}` cannot be changed in a reuse", given.span, help=help)


def _field(made: Model | dict[str, Any], key: str) -> Any:
    if isinstance(made, dict):
        return made.get(key)
    names = {field.alias or name: name for name, field in type(made).model_fields.items()}
    return getattr(made, names[key])
