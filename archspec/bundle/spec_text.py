"""Write a spec's merged document as YAML: inheritance resolved, overrides applied, readable as a spec by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archspec.text.nodes import ListNode, MapNode, Node, TextNode

# Without `:`, `#`, quotes and square brackets, which may have a meaning inside a plain text.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+*/() <>=-]*")
# A text that begins with `-` is plain only without spaces, or it would be an item of a list.
_ALONE = re.compile(r"-?[A-Za-z0-9_]+(\.[0-9]+)?")


def spec_text(tree: MapNode) -> str:
    """Return the document as block YAML; texts are quoted where a plain one would be read differently."""
    return "\n".join(_map(tree, "")) + "\n"


def _map(node: MapNode, indent: str) -> Iterator[str]:
    """Yield the lines of a map."""
    for entry in node.entries:
        yield from _entry(f"{indent}{scalar(entry.key.value)}:", entry.value, f"{indent}  ")


def _list(node: ListNode, indent: str) -> Iterator[str]:
    """Yield the lines of a list."""
    for item in node.items:
        yield from _entry(f"{indent}-", item, f"{indent}  ")


def _entry(head: str, value: Node, indent: str) -> Iterator[str]:
    """Yield the lines of a value behind `head`: on the same line for a text or something empty, indented otherwise."""
    if isinstance(value, TextNode):
        yield f"{head} {scalar(value.value)}"
    elif isinstance(value, MapNode):
        yield from (head, *_map(value, indent)) if value.entries else [f"{head} {{}}"]
    else:
        yield from (head, *_list(value, indent)) if value.items else [f"{head} []"]


def scalar(text: str) -> str:
    """Return a text as a YAML scalar on one line."""
    plain = (_PLAIN.fullmatch(text) and not text.endswith(" ")) or _ALONE.fullmatch(text)
    if plain and text.lower() != "null":
        return text
    return "".join(['"', *(_escaped(character) for character in text), '"'])


def _escaped(character: str) -> str:
    """Escape one character for a double-quoted scalar."""
    if character in ('"', "\\"):
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
