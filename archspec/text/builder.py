"""Build nodes from YAML events; constructs that a spec may not use are reported and skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

import yaml

from archspec.diagnostics.collector import Collector
from archspec.diagnostics.error import SpecError
from archspec.diagnostics.model import Diagnostic, Label
from archspec.diagnostics.source import Source, Span
from archspec.text.entries import list_items, map_entries
from archspec.text.nodes import ListNode, MapNode, Node, TextNode
from archspec.text.yaml_errors import from_yaml, tab_between

MAX_NESTING = 64
_MAX_ERRORS = 100
# The C parser is faster, but not installed everywhere; both give the same events.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def build(source: Source) -> Node | None:
    """Build the top node of the source; None when the source holds no document.

    Raises SpecError with every error found, sorted by position in the source. A syntax error, a second document or
    too deep nesting ends the reading; what was found before it is reported with it.
    """
    builder = _Builder(source)
    node = None
    with builder.errors.catching():
        node = builder.document()
    if builder.errors.has_errors:
        raise SpecError(sorted(builder.errors.diagnostics, key=_place))
    return node


class _Builder:
    """Recursive descent over one event stream; a refused node is returned as None."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.errors = Collector()
        self.depth = 0
        self.events = self._stream()

    def _stream(self) -> Iterator[Any]:
        """The parser's events; reports tabs between tokens, and raises SpecError for the parser's own errors."""
        read = 0
        try:
            for event in yaml.parse(self.source.text, Loader=_LOADER):
                span = self._span(event)
                # Tabs are also refused inside plain scalars, but allowed inside quoted and block scalars.
                plain = isinstance(event, yaml.ScalarEvent) and event.style in (None, "")
                tab = tab_between(self.source, read, span.end if plain else span.start)
                if tab is not None:
                    self._add(tab)
                read = max(read, span.end)
                yield event
        except yaml.MarkedYAMLError as error:
            raise SpecError([from_yaml(self.source, error)]) from None

    def document(self) -> Node | None:
        """The top node of the only document; None if there is none or its top node is refused."""
        node: Node | None = None
        started = False
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._start_document(event, again=started)
                started = True
            elif isinstance(event, yaml.NodeEvent):
                node = self._node(event)
        return node

    def _start_document(self, event: Any, *, again: bool) -> None:
        """Refuse a second document, and directives before a document."""
        span = self._span(event)
        if again:
            _stop("E107", "a second document starts here", span, "put each spec in a file of its own")
        if event.version or event.tags:
            line = Span(self.source, span.start, span.start + span.text.index("\n"))
            self._refuse("E113", "directives are not part of a spec", line, "remove this line")

    def _node(self, event: Any) -> Node | None:
        """Build the node that starts with an event; None for a refused one."""
        if isinstance(event, yaml.AliasEvent):
            help = "write the value out, or name it in `constants` or `blocks`"
            self._refuse("E110", f"alias `*{event.anchor}`", self._span(event), help)
            return None
        self._check_properties(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event)
        self.depth += 1
        if self.depth > MAX_NESTING:
            here = Span(self.source, event.start_mark.index, event.start_mark.index + 1)
            _stop("E108", f"nested more than {MAX_NESTING} deep", here, "reduce the nesting")
        node = self._map(event) if isinstance(event, yaml.MappingStartEvent) else self._list(event)
        self.depth -= 1
        return node

    def _check_properties(self, event: Any) -> None:
        """Refuse an anchor or a tag."""
        span = self._span(event)
        # Anchor and tag may come in either order before the value.
        words = span.text.split(None, 2)[:2]
        if event.anchor is not None:
            place = _word(span, words, "&")
            help = "remove it; put shared values in `constants` and shared parts in `blocks`"
            self._refuse("E109", f"anchor `&{event.anchor}`", place, help)
        if event.tag is not None:
            place = _word(span, words, "!")
            self._refuse("E112", f"tag `{place.text}`", place, "remove it; the field determines how its text is read")

    def _text(self, event: Any) -> TextNode:
        """A scalar as text. A block scalar (`|` or `>`) loses its trailing line breaks, in value and in span."""
        span = self._span(event)
        if event.style in ("|", ">"):
            span = Span(self.source, span.start, span.start + len(span.text.rstrip()))
            return TextNode(value=event.value.strip("\n"), span=span, quoted=True)
        return TextNode(value=event.value, span=span, quoted=event.style in ("'", '"'))

    def _list(self, start: Any) -> ListNode:
        """The list that starts with an event; refused items are left out."""
        flow = bool(start.flow_style)
        items: list[Node] = []
        event = start
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            item = self._node(event)
            if item is not None:
                items.append(item)
        span = self._extent(start, event, items[-1].span if items else None)
        return ListNode(items=list_items(items, flow=flow, refuse=self._add), span=span, flow=flow)

    def _map(self, start: Any) -> MapNode:
        """The map that starts with an event; entries with a refused key or value are left out."""
        flow = bool(start.flow_style)
        pairs: list[tuple[TextNode, Node]] = []
        last: Span | None = None
        event = start
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            value = self._node(next(self.events))
            last = value.span if value is not None else last
            # The key's span becomes the map's name: messages about a whole map point at its key.
            if key is not None and value is not None:
                pairs.append((key, replace(value, name=key.span) if isinstance(value, MapNode) else value))
        span = self._extent(start, event, last)
        return MapNode(entries=map_entries(pairs, flow=flow, refuse=self._add), span=span, flow=flow)

    def _key(self, event: Any) -> TextNode | None:
        """The key of an entry; None for one that is not a word on one line."""
        node = self._node(event)
        if isinstance(node, TextNode) and node.value.strip() and "\n" not in node.span.text:
            return node
        if node is not None:
            place = Span(self.source, node.span.start, min(node.span.start + 1, len(self.source.text)))
            self._refuse("E115", "a key must be a word on one line", place, "write `key: value`")
        return None

    def _extent(self, start: Any, end: Any, last: Span | None) -> Span:
        """The span of a collection. A block collection ends with its last child: the parser reports the next token."""
        if start.flow_style:
            return Span(self.source, start.start_mark.index, end.end_mark.index)
        first = start.start_mark.index
        return Span(self.source, first, max(first, last.end if last else start.end_mark.index))

    def _span(self, event: Any) -> Span:
        return Span(self.source, event.start_mark.index, event.end_mark.index)

    def _refuse(self, code: str, message: str, span: Span, help: str) -> None:
        self._add(Diagnostic(code=code, message=message, primary=Label(span), help=help))

    def _add(self, diagnostic: Diagnostic) -> None:
        # The limit bounds the output for a file that is not a spec at all.
        self.errors.add(diagnostic)
        if len(self.errors.diagnostics) >= _MAX_ERRORS:
            self.errors.raise_if_errors()


def _stop(code: str, message: str, span: Span, help: str) -> NoReturn:
    """Raise an error after which the rest of the file is not read."""
    raise SpecError([Diagnostic(code=code, message=message, primary=Label(span), help=help)])


def _word(span: Span, words: list[str], sign: str) -> Span:
    """The span of the anchor or tag within a node's span: the first of `words` that starts with `sign`."""
    word = next((word for word in words if word.startswith(sign)), sign)
    start = span.start + max(span.text.find(word), 0)
    return Span(span.source, start, start + len(word))


def _place(diagnostic: Diagnostic) -> int:
    """Where a diagnostic starts in the source, for sorting."""
    return diagnostic.primary.span.start if diagnostic.primary else 0
