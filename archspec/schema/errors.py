"""Diagnostics through pydantic: spans survive validation, and pydantic's own errors get theirs back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from archspec.diagnostics import Diagnostic, Label, Span, SpecError, did_you_mean
from archspec.text.nodes import ListNode, MapNode, Node

_NOTHING: Mapping[str, str] = {}


def carry(diagnostics: Iterable[Diagnostic]) -> PydanticCustomError:
    """An error that pydantic collects, with diagnostics inside."""
    return PydanticCustomError("archspec", "not valid", {"diagnostics": tuple(diagnostics)})


@contextmanager
def carried() -> Iterator[None]:
    """Inside a validator: turn a SpecError into an error that pydantic collects."""
    try:
        yield
    except SpecError as error:
        raise carry(error.diagnostics) from None


def diagnostics_of(error: ValidationError, node: Node, told: Mapping[str, str] = _NOTHING) -> list[Diagnostic]:
    """Diagnostics for everything that pydantic found wrong with `node`, each once.

    `told` says of fields by name what a user who left one out wants to know.
    """
    found = [one for detail in error.errors(include_url=False) for one in _translate(detail, node, told)]
    return list(dict.fromkeys(found))


def _translate(detail: ErrorDetails, root: Node, told: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    if detail["type"] == "archspec":
        diagnostics: tuple[Diagnostic, ...] = detail["ctx"]["diagnostics"]
        return diagnostics
    place = _locate(root, detail["loc"])
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    if detail["type"] == "missing":
        help = told.get(name) if len(detail["loc"]) == 1 else None
        return (_error("E203", f"missing field `{name}`", place.span, help),)
    if detail["type"] == "literal_error":
        options = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        help = did_you_mean(str(detail["input"]), options, kind="words")
        return (_error("E205", f"`{detail['input']}` is not a word of this field", place.span, help),)
    return (_error("E204", detail["msg"][:1].lower() + detail["msg"][1:], place.span),)


def _locate(root: Node, loc: Iterable[int | str]) -> Node:
    """The deepest node on the way; parts that name no node (tags of a union) are passed over."""
    node = root
    for part in loc:
        if isinstance(node, MapNode):
            node = node.get(str(part)) or node
        elif isinstance(node, ListNode) and isinstance(part, int):
            node = node.items[part]
    return node


def _error(code: str, message: str, span: Span, help: str | None = None) -> Diagnostic:
    return Diagnostic(code=code, message=message, primary=Label(span), help=help)
