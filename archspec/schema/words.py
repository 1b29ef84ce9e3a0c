"""Words that keep their span: names and axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Annotated, Any

from pydantic import WithJsonSchema

from archspec.diagnostics import Span, did_you_mean, fail
from archspec.record import record
from archspec.schema.plain import Plain
from archspec.schema.sorts import text_of
from archspec.text.nodes import TextNode
from archspec.text.scalars import parse_axis


@record
class Word:
    """A word and its span; two words are equal if their texts are."""

    text: str
    span: Span = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


@record
class AxisText:
    """An axis: a number, negative from the end, or the name of a dim or constant."""

    value: int | str
    span: Span = field(compare=False, repr=False)

    def __str__(self) -> str:
        return str(self.value)


def _read(read: Callable[[TextNode], Any], what: str) -> Plain:
    def validate(node: Any) -> Any:
        return read(text_of(node, what))

    return Plain(validate)


def check_word(node: TextNode, options: Sequence[str]) -> None:
    """Check that a text is one of `options`. Raises SpecError E205 if it is not."""
    if node.value not in options:
        help = did_you_mean(node.value, options, kind="values")
        fail("E205", f"invalid value `{node.value}`", node.span, help=help)


def _name(node: TextNode) -> Word:
    return Word(text=node.value, span=node.span)


def _axis(node: TextNode) -> AxisText:
    return AxisText(value=parse_axis(node), span=node.span)


NameField = Annotated[Word, _read(_name, "a name"), WithJsonSchema({"type": "string"})]
AxisField = Annotated[
    AxisText,
    _read(_axis, "an axis"),
    WithJsonSchema({"type": ["integer", "string"], "description": "a number, negative from the end, or a name"}),
]
