"""YAML to nodes: PyYAML's event stream, read strictly."""

from __future__ import annotations

from typing import NoReturn

from yaml.reader import Reader

from archspec.diagnostics.error import SpecError, fail
from archspec.diagnostics.source import Source
from archspec.text.nodes import ListNode, MapNode, TextNode
from archspec.text.yaml_errors import glued_key

MAX_BYTES = 256 * 1024
_BYTE_ORDER_MARK = "\ufeff"


def read_bytes(name: str, data: bytes) -> MapNode:
    """Read a file's bytes; `name` is shown in diagnostics.

    Returns the map at its top level. Raises SpecError E1xx with everything that is wrong.
    """
    _check_size(Source(name, ""), len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        source = Source(name, before)
        fail(
            "E104",
            f"not UTF-8 text: byte 0x{data[error.start]:02x}",
            source.span(len(before), len(before)),
            help="save the file as UTF-8",
        )
    return read(Source(name, text))


def read(source: Source) -> MapNode:
    """Read the text of a spec.

    Returns the map at its top level. Raises SpecError E1xx with everything that is wrong.
    """
    from archspec.text.builder import build

    _check_size(source, len(source.text.encode("utf-8", "surrogatepass")))
    if source.text.startswith("\ufeff"):
        source = Source(source.name, source.text[1:])
    check_characters(source)
    node = build(source)
    if node is None:
        fail("E105", "the file is empty", source.span(0, 0), help="start with `archspec: 1`")
    if not isinstance(node, MapNode):
        _not_a_map(node)
    return node


def _not_a_map(node: TextNode | ListNode) -> NoReturn:
    glued = glued_key(node.span.source, node.span.start)
    if glued is not None:
        raise SpecError([glued])
    kind = "text" if isinstance(node, TextNode) else "a list"
    message = f"expected a map of keys and values, found {kind}"
    first = node.span.source.span(node.span.start, min(node.span.start + 1, len(node.span.source.text)))
    fail("E106", message, first, help="write `key: value` lines")


def _check_size(source: Source, size: int) -> None:
    if size > MAX_BYTES:
        fail(
            "E103",
            f"the file has {size} bytes, more than {MAX_BYTES}",
            source.span(0, 0),
            help="keep specs under 256 KB; weights belong in their own file",
        )


def check_characters(source: Source) -> None:
    """Refuse characters that are not text, which YAML cannot hold. Raises SpecError E104."""
    found = Reader.NON_PRINTABLE.search(source.text)
    places = [source.text.find(_BYTE_ORDER_MARK), -1 if found is None else found.start()]
    place = min((place for place in places if place >= 0), default=None)
    if place is not None:
        character = source.text[place]
        fail("E104", f"invalid character U+{ord(character):04X}", source.span(place, place + 1), help="remove it")
