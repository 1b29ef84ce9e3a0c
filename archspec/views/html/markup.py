"""HTML as text that is escaped by construction: strings are text, and only `Html` is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TypeAlias

from archspec.diagnostics.layout import printable


class Html(str):
    """Markup. Every other string is text, which is escaped where it becomes part of an element."""

    __slots__ = ()


Content: TypeAlias = str | Html | Iterable["str | Html | None"] | None
"""The content of an element: text, markup, nothing, or several of these."""

_VOID = {"br", "col", "hr", "meta"}


def text(words: str) -> Html:
    """Text as markup. Characters that would turn or hide other text, such as those of direction, show as escapes."""
    return Html(escape("\n".join(map(printable, words.splitlines())), quote=True))


def joined(*contents: Content) -> Html:
    """Contents in a row, where text is escaped."""
    return Html("".join(_parts(contents)))


def _parts(contents: Iterable[Content]) -> Iterable[str]:
    for content in contents:
        if isinstance(content, Html):
            yield content
        elif isinstance(content, str):
            yield text(content)
        elif content is not None:
            yield from _parts(content)


def tag(element: str, /, *contents: Content, **attributes: str | bool | None) -> Html:
    """An element.

    Args:
        element: the name of the element.
        contents: its content.
        attributes: attributes by name, in which `_` stands for `-` and a trailing `_` is left out (`class_`); true
            writes the name alone, and false and None leave the attribute out.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    start = f"<{element}{written}>"
    return Html(start if element in _VOID else f"{start}{joined(*contents)}</{element}>")


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    word = key.rstrip("_").replace("_", "-")
    return f" {word}" if value is True else f' {word}="{text(value)}"'


def name(words: str) -> Html:
    """A name or description that a user has written: its direction does not change that of the text around it."""
    return tag("bdi", words)


def words(parts: Iterable[str]) -> str:
    """Parts that are not empty, as a list in a sentence."""
    return ", ".join(filter(None, parts))


def code(words: str) -> Html:
    """Text of a file or of the language, in a fixed width."""
    return tag("code", name(words))


def table(
    caption: Content,
    heads: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    *,
    numbers: Iterable[int] = (),
    prose: Iterable[int] = (),
    whole: Iterable[int] = (),
) -> Html:
    """A table in a region that scrolls where it is too wide.

    Args:
        caption: what the table shows.
        heads: the heads of the columns.
        rows: the cells of each row, the first of which is the head of the row.
        numbers: the columns with numbers, which are aligned at the right.
        prose: the columns with sentences, which are not made narrow.
        whole: the columns with types and the like, which are not broken on a screen.
    """
    kinds = dict.fromkeys(numbers, "number") | dict.fromkeys(prose, "prose") | dict.fromkeys(whole, "whole")

    def cell(kind: str, column: int, content: Content, scope: str | None = None) -> Html:
        return tag(kind, content, scope=scope, class_=kinds.get(column))

    head = tag("thead", tag("tr", [cell("th", k, one, "col") for k, one in enumerate(heads)]))
    body = [
        tag("tr", cell("th", 0, row[0], "row"), [cell("td", k, one) for k, one in enumerate(row[1:], 1)])
        for row in rows
    ]
    found = tag("table", tag("caption", caption), head, tag("tbody", body))
    return scrolling(found, plain(joined(caption)))


def scrolling(content: Html, label: str) -> Html:
    """A group with a name that scrolls sideways, also by the keyboard. It is no landmark, of which a page has few."""
    return tag("div", content, class_="scroll", role="group", tabindex="0", aria_label=label)


def plain(markup: Html) -> str:
    """The text of markup that has no attributes with `>`."""
    from html import unescape

    return unescape(re.sub(r"<[^>]*>", "", markup))


def figure(svg: str, label: str, caption: Content = None, *, themed: bool = True) -> Html:
    """A picture that this package has drawn, in a region that scrolls where it is too wide.

    Args:
        svg: an SVG document.
        label: its name for those who do not see it.
        caption: what stands below it.
        themed: whether the style knows a dark colour for each of its colours.
    """
    below = None if caption is None else tag("figcaption", caption)
    kind = ' class="themed"' if themed else ""
    drawn = Html(svg.replace("<svg ", f'<svg aria-label="{text(label)}"{kind} ', 1).strip())
    return tag("figure", scrolling(drawn, f"Picture: {label}"), below)


def folded(summary: Content, *contents: Content, is_open: bool = False) -> Html:
    """Contents under a line that opens and closes them."""
    return tag("details", tag("summary", summary), *contents, open=is_open)
