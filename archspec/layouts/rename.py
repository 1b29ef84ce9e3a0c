"""`rename`: rewrite the names of a checkpoint before any is looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from archspec.diagnostics import Collector
from archspec.layouts.names import NamePattern, parse_name, regex_of
from archspec.record import record
from archspec.text.nodes import MapNode, Node, TextNode

WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that wrappers of modules add to every name: data parallel, averaged and compiled modules."""


@record
class Rename:
    """One entry, `old: new`: whole parts between dots, wherever they occur; `*` is an index that is kept.

    `gamma: weight` turns `ln.gamma` into `ln.weight` and leaves `gamma_1` unchanged. An empty `new` removes the parts.
    """

    old: NamePattern
    new: NamePattern

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![^.]){regex_of(self.old.pieces)}(?![^.])")

    def apply(self, name: str) -> str:
        """Return the name with every occurrence replaced."""
        changed = self._regex.sub(lambda found: self.new.filled([int(index) for index in found.groups()]), name)
        # Removing parts leaves empty ones between dots.
        return changed if self.new.pieces else ".".join(part for part in changed.split(".") if part)


def read_renames(node: Node | None, found: Collector) -> tuple[Rename, ...]:
    """Read the entries of `rename` in the written order; errors E204 and E510 are added to `found`."""
    if node is None or (isinstance(node, TextNode) and node.value == "none"):
        return ()
    if not isinstance(node, MapNode):
        found.error("E204", "expected a map from their names to the names that the map uses", node.span)
        return ()
    renames = []
    for entry in node.entries:
        if not isinstance(entry.value, TextNode):
            found.error("E204", "expected a name", entry.value.span)
            continue
        with found.catching():
            old, new = parse_name(entry.key), parse_name(entry.value)
            if old.groups or new.groups or old.stars != new.stars or not old.pieces:
                help = "write each name in full, with the same number of `*` on both sides"
                found.error("E510", f"`{old}` cannot be renamed to `{new}`", entry.key.span, help=help)
            else:
                renames.append(Rename(old=old, new=new))
    return tuple(renames)


def foreign_wrappers(own: Iterable[str]) -> tuple[str, ...]:
    """Return the wrapper prefixes with which none of these names starts.

    Such a prefix cannot be part of an own name, so it may be removed.
    """
    names = tuple(own)
    return tuple(word for word in WRAPPERS if not any(name.startswith(word) for name in names))


def unwrapped(name: str, wrappers: tuple[str, ...]) -> str:
    """Return a name without these wrapper prefixes, however often they repeat."""
    # Wrappers nest: a compiled module inside a data parallel one has both prefixes.
    while name.startswith(wrappers):
        name = name.split(".", 1)[1]
    return name


def renamed(
    names: Iterable[str], renames: Sequence[Rename], found: Collector, wrappers: tuple[str, ...]
) -> dict[str, str]:
    """Map each name without wrappers and after `rename` to the name in the file.

    Adds E519 to `found` where two names become one.
    """
    result: dict[str, str] = {}
    for name in names:
        new = unwrapped(name, wrappers)
        # In the written order: an entry sees what the ones before it have made.
        for rename in renames:
            new = rename.apply(new)
        if new in result:
            span = renames[0].old.span if renames else None
            found.error("E519", f"`{result[new]}` and `{name}` both become `{new}`", span)
        result[new] = name
    return result
