"""`rename`: their names, rewritten before anything is looked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from archspec.diagnostics import Collector
from archspec.layouts.names import NamePattern, parse_name, regex_of
from archspec.record import record
from archspec.text.nodes import MapNode, Node, TextNode

WRAPPERS = ("module.", "_orig_mod.")
"""What wrappers of modules put in front of every name: data parallel and averaged ones, and compiled ones."""


@record
class Rename:
    """One entry, `old: new`: whole parts between dots, wherever they stand; `*` is an index that is kept.

    `gamma: weight` makes `ln.gamma` into `ln.weight` and leaves `gamma_1` alone. An empty `new` takes the parts out.
    """

    old: NamePattern
    new: NamePattern

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![^.]){regex_of(self.old.pieces)}(?![^.])")

    def apply(self, name: str) -> str:
        """The name after this entry."""
        changed = self._regex.sub(lambda found: self.new.filled([int(index) for index in found.groups()]), name)
        return changed if self.new.pieces else ".".join(part for part in changed.split(".") if part)


def read_renames(node: Node | None, found: Collector) -> tuple[Rename, ...]:
    """The entries of `rename`, in the written order."""
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
    """The wrappers with which none of these names starts: what they put in front is no module's own name."""
    names = tuple(own)
    return tuple(word for word in WRAPPERS if not any(name.startswith(word) for name in names))


def unwrapped(name: str, wrappers: tuple[str, ...]) -> str:
    """A name without what these wrappers put in front."""
    while name.startswith(wrappers):
        name = name.split(".", 1)[1]
    return name


def renamed(
    names: Iterable[str], renames: Sequence[Rename], found: Collector, wrappers: tuple[str, ...]
) -> dict[str, str]:
    """Their names by what they are called without wrappers and after `rename`; an error E519 where two become one."""
    result: dict[str, str] = {}
    for name in names:
        new = unwrapped(name, wrappers)
        for rename in renames:
            new = rename.apply(new)
        if new in result:
            span = renames[0].old.span if renames else None
            found.error("E519", f"`{result[new]}` and `{name}` both become `{new}`", span)
        result[new] = name
    return result
