"""Fragments of HTML and the page that holds them: escaped, in order, and without a request to anywhere."""

from __future__ import annotations

import pytest

from archspec.checking import check
from archspec.views.html.costs import costs
from archspec.views.html.findings import findings
from archspec.views.html.markup import Html, joined, table, tag, text
from archspec.views.html.masks import masks
from archspec.views.html.page import PagePart, page
from archspec.views.html.picture import picture
from archspec.views.html.relations import relations
from archspec.views.html.tree import tree
from archspec.views.html.verdicts import verdicts
from tests.views.page_elements import Elements

FRAGMENTS = (verdicts, picture, tree, masks, relations, costs)


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "<b>", tag("i", "&"), class_='a"b') == '<p class="a&quot;b">&lt;b&gt;<i>&amp;</i></p>'
    assert joined("<", None, [Html("<br>"), ">"]) == "&lt;<br>&gt;"
    # A character that turns the text after it shows as an escape.
    assert text("a\u202eb") == "a\\u202eb"


def test_the_heads_of_a_table_say_what_they_are_heads_of() -> None:
    found = Elements(table("counts", ("what", "count"), [("a", "1")], numbers=(1,))).found
    assert [attributes.get("scope") for name, attributes in found if name == "th"] == ["col", "col", "row"]
    assert found[0] == ("div", {"class": "scroll", "role": "group", "tabindex": "0", "aria-label": "counts"})


@pytest.mark.parametrize("name", ["transformer-base", "mixtral-8x7b"])
def test_a_page_of_all_fragments_is_closed_and_refers_to_nothing_outside(name: str) -> None:
    report = check(name)
    parts = [PagePart(key=one.__name__, title=one.__name__, body=one(report)) for one in FRAGMENTS]
    found = Elements(page(name, [*parts, PagePart(key="found", title="found", body=findings(report.diagnostics))]))
    assert not {name for name, _ in found.found} & {"script", "link", "img", "iframe", "object", "base", "form"}
    for _, attributes in found.found:
        assert not {"src", "srcset", "style-src", "action", "onclick"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
