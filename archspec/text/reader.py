"""Read the YAML of a spec strictly: size, encoding and characters are checked before the parser runs."""

from __future__ import annotations

from typing import NoReturn

from yaml.reader import Reader

from archspec.diagnostics.error import SpecError, fail
from archspec.diagnostics.source import Source
from archspec.text.nodes import ListNode, MapNode, TextNode
from archspec.text.yaml_errors import glued_key

MAX_BYTES = 256 * 1024
_BYTE_ORDER_MARK = "\ufeff"


def read_bytes(name: str, data: bytes, called: str = "") -> MapNode:
    """Read the bytes of a file and return the map at its top level; its name and what it is called are as in `Source`.

    Raises SpecError E103 for a file above `MAX_BYTES` bytes, E104 for bytes that are not UTF-8, otherwise as `read`.
    """
    # With an empty source: the bytes are not text yet.
    _check_size(Source(name, "", called=called), len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Only the text before the invalid byte can be shown, so the error is placed at its end.
        before = data[: error.start].decode("utf-8")
        source = Source(name, before, called=called)
        fail(
            "E104",
            f"not UTF-8 text: byte 0x{data[error.start]:02x}",
            source.span(len(before), len(before)),
            help="save the file as UTF-8",
        )
    return read(Source(name, text, called=called))


def read(source: Source) -> MapNode:
    """Read the text of a spec and return the map at its top level.

    Raises SpecError E103 for a text above `MAX_BYTES` bytes of UTF-8, E104 for an invalid character, E105 for an empty
    file, E106 for a top level that is not a map (E118 if only the space after a colon is missing), and with every E1xx
    error that building the nodes finds.
    """
    from archspec.text.builder import build

    # A text that Python made may have surrogates, which UTF-8 lacks: `check_characters` refuses them at their place.
    _check_size(source, len(source.text.encode("utf-8", "surrogatepass")))
    # A byte order mark is allowed at the start only; `check_characters` refuses any other.
    source = Source.of(source.name, source.whole, source.called)
    check_characters(source)
    node = build(source)
    if node is None:
        fail("E105", "the file is empty", source.span(0, 0), help="start with `archspec: 1`")
    if not isinstance(node, MapNode):
        _not_a_map(node)
    return node


def _not_a_map(node: TextNode | ListNode) -> NoReturn:
    """Raise SpecError E106, or E118 if only the space after a colon is missing."""
    glued = glued_key(node.span.source, node.span.start)
    if glued is not None:
        raise SpecError([glued])
    kind = "text" if isinstance(node, TextNode) else "a list"
    message = f"expected a map of keys and values, found {kind}"
    first = node.span.source.span(node.span.start, min(node.span.start + 1, len(node.span.source.text)))
    fail("E106", message, first, help="write `key: value` lines")


def _check_size(source: Source, size: int) -> None:
    """Raise SpecError E103 for a file above `MAX_BYTES`."""
    if size > MAX_BYTES:
        fail(
            "E103",
            f"the file has {size} bytes, more than {MAX_BYTES}",
            source.span(0, 0),
            help="keep specs under 256 KB; weights belong in their own file",
        )


def check_characters(source: Source) -> None:
    """Check that the text has only printable characters. Raises SpecError E104 at the first one that YAML excludes."""
    found = Reader.NON_PRINTABLE.search(source.text)
    # To YAML a byte order mark is printable anywhere.
    places = [source.text.find(_BYTE_ORDER_MARK), -1 if found is None else found.start()]
    place = min((place for place in places if place >= 0), default=None)
    if place is not None:
        character = source.text[place]
        fail("E104", f"invalid character U+{ord(character):04X}", source.span(place, place + 1), help="remove it")
