"""One self-contained page: fragments under headings, with the style, and a policy that lets no request leave it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

from archspec.record import record
from archspec.views.html.markup import Content, Html, joined, name, tag

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What the page may load: nothing but its own style."""
_DEEPEST = 6


@record
class PagePart:
    """A part of a page under a heading; `key` is its anchor, `inside` are parts under headings one level deeper."""

    key: str
    title: str
    body: Content = None
    inside: tuple[PagePart, ...] = ()


def style() -> Html:
    """The style of pages and fragments."""
    return Html(files(__package__).joinpath("style.css").read_text(encoding="utf-8"))


def page(title: str, parts: Sequence[PagePart], lead: Content = None) -> Html:
    """A document in HTML.

    Args:
        title: its title.
        parts: its parts in order.
        lead: what stands between the title and the contents.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style()),
    )
    skip = tag("a", "Skip to the content", href="#content", class_="skip")
    header = tag("header", tag("h1", name(title)), lead)
    contents = tag("nav", tag("ul", [_entry(part) for part in parts]), aria_label="Contents")
    main = tag("main", *(_written(part, 2) for part in parts), id="content", tabindex="-1")
    body = tag("body", skip, header, contents, main)
    return joined(Html("<!doctype html>\n"), tag("html", head, body, lang="en"), Html("\n"))


def _entry(part: PagePart) -> Html:
    inner = tag("ul", [_entry(one) for one in part.inside]) if part.inside else None
    return tag("li", tag("a", name(part.title), href=f"#{part.key}"), inner)


def _written(part: PagePart, level: int) -> Html:
    """A part with its heading and those inside it."""
    heading = tag(f"h{min(level, _DEEPEST)}", name(part.title), id=part.key)
    inner: Iterator[Html] = (_written(one, level + 1) for one in part.inside)
    # Only the outer sections are landmarks: the inner ones of several specs have the same names.
    return tag("section", heading, part.body, inner, aria_labelledby=part.key if level == 2 else None)
