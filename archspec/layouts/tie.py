"""`tied`: names in a checkpoint that hold the same tensor, so that either may be absent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import product

from archspec.diagnostics import Collector
from archspec.layouts.names import NamePattern, parse_name
from archspec.record import record
from archspec.text.nodes import Entry, MapNode, Node, TextNode


@record(eq=False)
class Tie:
    """One entry, `name: other`: two names of theirs for one tensor.

    Published files hold either or both. `*` stands for the same index on both sides; groups pair in order, or occur
    only in `name`, and then each of its names equals `other`.
    """

    name: NamePattern
    other: NamePattern

    @cached_property
    def pairs(self) -> tuple[tuple[NamePattern, NamePattern], ...]:
        """The two names without groups, for each choice of texts."""
        choices = [dict(enumerate(choice)) for choice in product(*(range(len(group)) for group in self.name.groups))]
        return tuple(
            (self.name.chosen(texts), self.other.chosen(texts if self.other.groups else {})) for texts in choices
        )

    def holds(self, name: str) -> bool:
        """Whether a name matches either side."""
        return any(side.match(name) for pair in self.pairs for side in pair)

    def others(self, name: str) -> Iterator[str]:
        """Yield the names that this entry ties to a name."""
        for pair in self.pairs:
            for one, other in (pair, pair[::-1]):
                if hit := one.match(name):
                    yield other.filled(*hit)


@record
class TiedNames:
    """The entries of `tied`."""

    ties: tuple[Tie, ...] = ()

    def of(self, name: str) -> dict[str, Tie]:
        """Return all names tied to a name, directly or through others, each with the entry that leads to it."""
        found: dict[str, Tie] = {}
        # Entries chain: `a: b` and `b: c` tie `a` to `c`.
        waiting = [name]
        while waiting:
            here = waiting.pop()
            for tie in self.ties:
                for other in tie.others(here):
                    if other != name and other not in found:
                        found[other] = tie
                        waiting.append(other)
        return found


def read_ties(node: Node | None, found: Collector) -> TiedNames:
    """Read the entries of `tied` in the written order; errors E204, E510 and E511 are added to `found`."""
    if node is None or (isinstance(node, TextNode) and node.value == "none" and not node.quoted):
        return TiedNames()
    if not isinstance(node, MapNode):
        found.error("E204", "expected a map from a name to the name of the same tensor", node.span)
        return TiedNames()
    ties = []
    for entry in node.entries:
        with found.catching():
            tie = _read(entry, found)
            if tie is not None:
                ties.append(tie)
    return TiedNames(ties=tuple(ties))


def _read(entry: Entry, found: Collector) -> Tie | None:
    """Read one entry; None after an error."""
    if not isinstance(entry.value, TextNode):
        found.error("E204", "expected a name", entry.value.span)
        return None
    name, other = parse_name(entry.key), parse_name(entry.value)
    groups = [[len(group) for group in side.groups] for side in (name, other)]
    if name.stars != other.stars or groups[1] not in ([], groups[0]) or not name.pieces or not other.pieces:
        help = "write the same number of `*` on both sides; groups pair in order, or appear on the left only"
        found.error("E511", f"`{name}` and `{other}` do not pair", entry.value.span, help=help)
        return None
    return Tie(name=name, other=other)
