"""Reading a page back: its elements and text, and the colours of its style."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from archspec.views.html.page import style

_VOID = {"meta", "br", "hr", "col"}
_INLINE = {"bdi", "code", "span", "strong", "a"}


class Elements(HTMLParser):
    """Every element of a document with its attributes, and its text; fails on an element that is not closed."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(document)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"{tag} has an attribute twice"
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag not in _INLINE:
            self.words += " "

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words += data


def style_rules(attribute: str) -> dict[str, str]:
    """The dark colour that the style puts in the place of each colour of a picture."""
    pattern = rf'\.themed \[{attribute}="(#[0-9a-f]{{6}})"\] {{ {attribute}: (#[0-9a-f]{{6}}); }}'
    return dict(re.findall(pattern, style()))


def luminance(color: str) -> float:
    """The relative luminance of a colour, by WCAG 2."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
