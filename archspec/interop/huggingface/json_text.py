"""Read JSON with the place of every value, so that an error points at the key that causes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, NoReturn

from archspec.diagnostics import Label, Source, Span, fail
from archspec.record import record

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@record
class JsonValue:
    """A value of a configuration: what it is called, what it is, and where it stands.

    `key` and `span` are the places of the key and of the value; both are None for a value that the file leaves out.
    `members` are the values of an object by key.
    """

    name: str
    value: Any
    key: Span | None = field(default=None, compare=False)
    span: Span | None = field(default=None, compare=False)
    members: Mapping[str, JsonValue] = field(default_factory=dict, compare=False)

    @property
    def place(self) -> Span | None:
        """The place for messages: key and value together."""
        return self.span if self.key is None or self.span is None else self.key.to(self.span)

    def refuse(self, what: str, help: str | None = None) -> NoReturn:
        """Raise SpecError E803 at this value: `what` says what is wrong with it."""
        shown = json.dumps(self.value)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
        fail("E803", f"`{self.name}` is {shown}: {what}", self.place, help=help)


def read_json(path: Path) -> JsonValue:
    """Read a file that holds one JSON object.

    Raises SpecError E805 for a file that cannot be read, that is not JSON, or that gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        fail("E805", f"cannot read {path}: {reason.lower()}", None)
    source = Source(str(path), text)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        at = min(error.pos, max(len(text) - 1, 0))
        fail("E805", f"not JSON: {error.msg.lower()}", source.span(at, min(at + 1, len(text))))
    except RecursionError:
        fail("E805", f"cannot read {path}: nested too deeply", None)
    except ValueError:
        # Python refuses whole numbers of more than some thousand digits.
        fail("E805", f"cannot read {path}: a number has too many digits", None)
    if not isinstance(value, dict):
        fail("E805", f"expected an object of keys and values, found {type(value).__name__}", source.span(0, 1))
    tokens = (source.span(found.start(), found.end()) for found in _TOKEN.finditer(text))
    return _read(tokens, next(tokens), path.name, None)


def _read(tokens: Iterator[Span], first: Span, name: str, key: Span | None) -> JsonValue:
    """The value that starts with a token; the text is known to be JSON."""
    if first.text not in ("{", "["):
        return JsonValue(name=name, value=json.loads(first.text), key=key, span=first)
    members: dict[str, JsonValue] = {}
    last = next(tokens)
    while last.text not in ("}", "]"):
        inner, at = (str(len(members)), None) if first.text == "[" else (json.loads(last.text), last)
        if at is not None:
            _check_new(inner, at, members)
            # The colon, then the value.
            next(tokens)
            last = next(tokens)
        members[inner] = _read(tokens, last, inner, at)
        last = next(tokens)
        last = next(tokens) if last.text == "," else last
    values = {inner: member.value for inner, member in members.items()}
    value: object = values if first.text == "{" else list(values.values())
    return JsonValue(name=name, value=value, key=key, span=first.to(last), members=members if first.text == "{" else {})


def _check_new(name: str, at: Span, members: Mapping[str, JsonValue]) -> None:
    """Raise SpecError E805 for a key that the object has already; most readers take the last one in silence."""
    earlier = members[name].key if name in members else None
    if earlier is not None:
        fail("E805", f"duplicate key `{name}`", at, secondary=[Label(earlier, "first given here")])
