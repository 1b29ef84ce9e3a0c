"""Print a document as YAML in the style of the shipped specs: short maps on one line, sections apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archspec.text.nodes import ListNode, MapNode, Node, TextNode

_WIDTH = 120
_DEEPEST = 4
"""How many brackets may stand inside each other on one line."""
_APART = frozenset({"constants", "blocks", "graph", "outputs"})
"""Sections with an empty line above them."""
_OPEN = frozenset({"dims", "inputs", "blocks", "graph", "outputs", "rules", "reduced", "weights"})
"""Sections with one entry a line."""
_MARKS = frozenset({"map", "graph"})
"""A map with one of these keys has one entry a line: a layout, a part of one, or the body of a block."""

# Without `:`, `#` and quotes, which may have a meaning inside a plain text.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_(]|-[A-Za-z0-9_.(])[A-Za-z0-9_.+*/()\[\]{}|&!,;'<> =-]*(?<! )")
_PLAIN_INSIDE = re.compile(r"(?:[A-Za-z0-9_(]|-[A-Za-z0-9_.(])[A-Za-z0-9_.+*/()|&!;'<> =-]*(?<! )")


def printed(tree: MapNode) -> str:
    """Return the document as YAML that reads back as the same tree; quotes of texts are kept, comments are not."""
    lines: list[str] = []
    for entry in tree.entries:
        name = entry.key.value
        if name in _APART and lines:
            lines.append("")
        lines += _entry(f"{scalar(name)}:", entry.value, "", is_open=name in _OPEN)
    return "\n".join(lines) + "\n"


def scalar(text: str, *, inside: bool = False) -> str:
    """Return a text as a YAML scalar on one line; `inside` brackets, more texts need quotes."""
    plain = (_PLAIN_INSIDE if inside else _PLAIN).fullmatch(text)
    # An open bracket would tell the reader that a comma has split the text.
    if plain and text.lower() != "null" and text.count("(") <= text.count(")"):
        return text
    return "".join(['"', *(_escaped(character) for character in text), '"'])


def _escaped(character: str) -> str:
    """Escape one character for a double-quoted scalar."""
    if character in ('"', "\\"):
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _entry(head: str, value: Node, indent: str, *, is_open: bool = False) -> list[str]:
    """Return the lines of a value behind `head`: on the same line where it is short, indented below it otherwise."""
    if isinstance(value, TextNode):
        return [f"{head} {_text(value)}"]
    line = f"{head} {_inside(value)}"
    is_open = is_open or _is_open(value)
    if _is_empty(value) or (not is_open and len(line) <= _WIDTH and _depth(value) <= _DEEPEST):
        return [line]
    if not is_open and (head.endswith("constants:") or isinstance(value, ListNode)) and _depth(value) == 1:
        return [head, *_filled(value, f"{indent}  ")]
    if isinstance(value, ListNode):
        return [head, *(line for item in value.items for line in _item(item, f"{indent}  "))]
    return [head, *_map(value, f"{indent}  ")]


def _map(node: MapNode, indent: str) -> Iterator[str]:
    """Yield the lines of a map, one entry below the other."""
    for entry in node.entries:
        yield from _entry(f"{indent}{_text(entry.key)}:", entry.value, indent, is_open=entry.key.value in _MARKS)


def _item(item: Node, indent: str) -> list[str]:
    """Return the lines of an item of a list; a map that is long, or that only names another, begins behind the dash."""
    children = _children(item) if isinstance(item, MapNode) else ()
    names_another = len(children) == 1 and not isinstance(children[0], TextNode)
    lines = _entry(f"{indent}-", item, indent, is_open=names_another)
    if len(lines) > 1 and isinstance(item, MapNode):
        return [f"{indent}- {lines[1].lstrip()}", *lines[2:]]
    return lines


def _filled(node: MapNode | ListNode, indent: str) -> Iterator[str]:
    """Yield the lines of a collection of texts, in brackets, as many texts on each line as fit."""
    first, last = ("{", "}") if isinstance(node, MapNode) else ("[", "]")
    pieces = list(_pieces(node))
    line = indent + first + pieces[0]
    for piece in pieces[1:]:
        if len(line) + len(piece) + 3 > _WIDTH:
            yield f"{line},"
            line = f"{indent} {piece}"
        else:
            line += f", {piece}"
    yield line + last


def _inside(node: Node) -> str:
    """Return a value on one line, in brackets."""
    if isinstance(node, TextNode):
        return _text(node, inside=True)
    whole = ", ".join(_pieces(node))
    return f"{{{whole}}}" if isinstance(node, MapNode) else f"[{whole}]"


def _pieces(node: MapNode | ListNode) -> Iterator[str]:
    """Yield what stands between the commas of a collection in brackets."""
    if isinstance(node, ListNode):
        yield from (_inside(item) for item in node.items)
    else:
        yield from (f"{_text(entry.key, inside=True)}: {_inside(entry.value)}" for entry in node.entries)


def _text(node: TextNode, *, inside: bool = False) -> str:
    """Return a text as a scalar; one that was quoted stays so, since `none` and names in quotes mean something else."""
    if not node.quoted:
        return scalar(node.value, inside=inside)
    return "".join(['"', *(_escaped(character) for character in node.value), '"'])


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, MapNode):
        return tuple(entry.value for entry in node.entries)
    return node.items if isinstance(node, ListNode) else ()


def _is_empty(node: Node) -> bool:
    return not _children(node)


def _depth(node: Node) -> int:
    """How many brackets stand inside each other when a value is written on one line."""
    return 0 if isinstance(node, TextNode) else 1 + max((_depth(child) for child in _children(node)), default=0)


def _is_open(node: Node) -> bool:
    """Whether a value has one entry a line however short it is: it is a layout, or is or has a list of maps."""
    if isinstance(node, MapNode):
        return any(entry.key.value in _MARKS or _is_open(entry.value) for entry in node.entries)
    return isinstance(node, ListNode) and any(isinstance(item, MapNode) for item in node.items)
