"""Read nodes: blocks, chains, reuses and value expressions, each into its parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import NoReturn

from archspec.blocks.parts.block import Block
from archspec.diagnostics import Span, SpecError, did_you_mean, fail
from archspec.record import record
from archspec.spec.reuse import reused
from archspec.spec.syntax import paths, syntaxes
from archspec.text.nodes import Entry, ListNode, MapNode, Node, TextNode
from archspec.text.path import Path
from archspec.text.value import ValueExpr, parse_value


@record
class NodePart:
    """One block or value expression of the graph.

    `name` names its value (`logits.1`), `aliases` are further names (`logits` for the last part of the chain `logits`);
    `module` is the node whose parameters it uses, which differs from `name` for a reuse.
    """

    name: str
    span: Span
    body: Block | ValueExpr
    module: str
    aliases: tuple[str, ...] = ()

    @property
    def reuses(self) -> bool:
        """Whether the part uses the module of another part."""
        return self.module != self.name

    def paths(self) -> Iterator[Path]:
        """The paths of the values and parameters that its fields name."""
        return iter(self._paths)

    @cached_property
    def _paths(self) -> tuple[Path, ...]:
        # The order of the nodes, their use and their errors all read it.
        return tuple(path for syntax in syntaxes(self.body) for path in paths(syntax))


@record
class GraphNode:
    """A node of the graph: one part, or those of a chain in order."""

    name: str
    span: Span
    parts: tuple[NodePart, ...]

    def uses(self) -> Iterator[str]:
        """The first names of everything that must be built before the node."""
        for part in self.parts:
            if part.reuses:
                yield part.module
            for path in part.paths():
                if not self._is_own_part(path):
                    yield path.parts[0]

    def paths(self) -> Iterator[Path]:
        """The paths in its fields, except those to parts of its own chain."""
        return (path for part in self.parts for path in part.paths() if not self._is_own_part(path))

    def _is_own_part(self, path: Path) -> bool:
        """Whether a path names a part of the chain itself, such as `scores.0` inside `scores`."""
        return path.parts[0] == self.name and len(path.parts) > 1 and path.parts[1].isdecimal()


class NodeReader:
    """Reads the nodes of one graph.

    `blocks` are the usable blocks by name; `own` are the names of all blocks that the file defines, including those
    with errors, whose uses are not reported again.
    """

    def __init__(self, graph: Mapping[str, Node], blocks: Mapping[str, type[Block]], own: Collection[str]) -> None:
        self._graph = graph
        self._blocks = blocks
        self._own = own

    def read(self, name: str, span: Span) -> GraphNode:
        """Read a node into its parts. Raises SpecError with the errors in it."""
        parts = tuple(self._parts(name, self._graph[name], span, None))
        return GraphNode(name=name, span=span, parts=parts)

    def _parts(self, name: str, node: Node, span: Span, feed: TextNode | None) -> list[NodePart]:
        """The parts of a node; `feed` is the value of the part before it in a chain."""
        if isinstance(node, ListNode):
            return self._chain(name, node, feed)
        if isinstance(node, TextNode):
            if feed is not None:
                fail("E216", "an expression cannot take a value from the chain", node.span, help="put it first")
            return [NodePart(name=name, span=span, body=parse_value(node), module=name)]
        if node.get("reuse") is not None:
            return [self._reuse(name, node, span, feed)]
        return [NodePart(name=name, span=span, body=self._block(node, feed), module=name)]

    def _chain(self, name: str, chain: ListNode, feed: TextNode | None) -> list[NodePart]:
        """The parts of a chain; each takes the value of the one before, and the last gets the name of the chain."""
        if not chain.items:
            fail("E216", "an empty chain", chain.span, help="write at least one block")
        made: list[NodePart] = []
        for number, item in enumerate(chain.items):
            part = f"{name}.{number}"
            made += self._parts(part, item, _place(item), feed)
            feed = TextNode(value=part, span=_place(item))
        last = made[-1]
        # A chain within a chain ends both, so its last part has an alias for each.
        return [*made[:-1], replace(last, aliases=(*last.aliases, name))]

    def _block(self, node: MapNode, feed: TextNode | None) -> Block:
        """Read a block. Raises SpecError E203 without `block`, E225 for an unknown one, and errors of its fields."""
        word = node.get("block")
        if not isinstance(word, TextNode):
            place = node.place if word is None else word.span
            fail("E203", "missing field `block`", place, help="a node is a block, a chain, a reuse or an expression")
        kind = self._blocks.get(word.value)
        if kind is None:
            self._unknown(word)
        fields = _fed(_without(node, "block"), kind, word, feed)
        return kind.read(replace(fields, name=word.span))

    def _reuse(self, name: str, node: MapNode, span: Span, feed: TextNode | None) -> NodePart:
        """Read a reuse: the block of another node with other inputs. Raises SpecError E217."""
        source, target = self._source(node, (name.partition(".")[0],))
        word = target.get("block")
        kind = self._blocks.get(word.value) if isinstance(word, TextNode) else None
        if kind is None or not isinstance(word, TextNode):
            # Reading the target raises the error of its block; the line after it is only for the type checker.
            self._block(target, None)
            fail("E217", f"`{source}` cannot be reused", node.span)
        given = _fed(_without(node, "reuse"), kind, word, feed)
        return NodePart(name=name, span=span, body=reused(kind, _without(target, "block"), given), module=source)

    def _source(self, node: MapNode, seen: tuple[str, ...]) -> tuple[str, MapNode]:
        """The node whose module is reused, and its fields; a reuse of a reuse is followed to the original."""
        word = node.get("reuse")
        if not isinstance(word, TextNode):
            fail("E204", "expected the name of a node", node.span if word is None else word.span)
        target = self._graph.get(word.value)
        if target is None:
            help = did_you_mean(word.value, self._graph, kind="nodes")
            fail("E201", f"unknown node `{word.value}`", word.span, help=help)
        if not isinstance(target, MapNode):
            what = "a chain" if isinstance(target, ListNode) else "an expression"
            fail("E217", f"`{word.value}` is {what}", word.span, help="only a node that is one block can be reused")
        if word.value in seen:
            fail("E217", "cyclic reuse of nodes", word.span, help="one of them must be a block")
        if target.get("reuse") is not None:
            return self._source(target, (*seen, word.value))
        return word.value, target

    def _unknown(self, word: TextNode) -> NoReturn:
        """Raise SpecError E225 for an unknown block."""
        if word.value in self._own:
            raise SpecError([])  # the error of its definition was already reported
        help = did_you_mean(word.value, [*self._blocks, *self._own], kind="blocks", limit=30)
        fail("E225", f"unknown block `{word.value}`", word.span, help=help)


def _fed(node: MapNode, kind: type[Block], word: TextNode, feed: TextNode | None) -> MapNode:
    """The fields of a block in a chain, with the value of the part before as its fed field."""
    if feed is None:
        return node
    if kind.feeds is None:
        help = "put it first"
        fail("E216", f"`{word.value}` has no input and cannot take a value from the chain", word.span, help=help)
    named = node.key(kind.feeds)
    if named is not None:
        help = "remove it: this is the value of the part before"
        fail("E216", f"only the first part of a chain names `{kind.feeds}`", named.span, help=help)
    key = TextNode(value=kind.feeds, span=feed.span)
    return replace(node, entries=(*node.entries, Entry(key=key, value=feed)))


def _without(node: MapNode, key: str) -> MapNode:
    return replace(node, entries=tuple(entry for entry in node.entries if entry.key.value != key))


def _place(node: Node) -> Span:
    """The span for messages about a part of a chain: the name of its block."""
    word = (node.get("block") or node.get("reuse")) if isinstance(node, MapNode) else None
    return node.span if word is None else word.span
