"""What is told of a name, a key and a word."""

from __future__ import annotations

import re

import pytest

from archspec.analyses.cost import cost
from archspec.checking import check
from archspec.spec import load
from tests.editor.documents import DECODER, LEAKY, at, document, place, shipped


def told(before: str, text: str = DECODER, number: int = 0) -> str:
    found = document(text).hover(place(text, before, number))
    assert found is not None
    return found.text


@pytest.mark.parametrize(
    ("before", "parts"),
    [
        ("|d_model: 16", ["**d_model**: a constant", "= `16`"]),
        ("hid|den: 4*d", ["a constant", "= `64`"]),
        ("|length: [", ["a dim", "1 to 16, typically 8"]),
        ("|ids: int64", ["an input", "`int64[batch, length] < 50`", "typically 2 x 8"]),
        ("|states:", ["a node", "`float[batch, length, 16]`", "2 x 8 x 16", "parameters", "FLOP at typical sizes"]),
        ("tie: |source.table", ["**source**: a node"]),
        ("tie: source.ta|ble", ["**source.table**", "`float[50, 16]`"]),
        ("|residual: pre", ["how sublayers are combined", "one of `pre`, `post`"]),
        ("residual: p|re", ["how sublayers are combined"]),
        ("mask: cau|sal", ["**causal**: a mask", "`j <= i`"]),
        ("block: dec|oder", ["**decoder**: a block"]),
        ("- caus|al:", ["**causal**: a rule", "**proved**, at all sizes"]),
        ("|graph:", ["the nodes, in any order"]),
        ("|tie: source", ["the parameter that is used as the weight"]),
        ("typ|e: x", []),
    ][:-1],
)
def test_what_is_told(before: str, parts: list[str]) -> None:
    found = told(before)
    assert [part for part in parts if part not in found] == []


def test_nothing_is_told_of_blanks_and_comments() -> None:
    text = f"# a comment\n{DECODER}"
    assert document(text).hover(place(text, "# a |comment")) is None


@pytest.mark.parametrize("name", ["gpt2", "mixtral-8x7b", "gated-attention", "albert-base", "t5-small"])
def test_costs_of_nodes_add_up_to_those_of_the_spec(name: str) -> None:
    """Counts of the nodes, from their texts, against those of the whole graph."""
    path, text = shipped(name)
    opened = document(text, path.name, folder=path.parent)
    state = opened.checked
    counted = 0
    for one in state.names.definitions.values():
        if one.what == "a node" and one.name.scope == ("file",):
            found = opened.hover(state.lines.place(one.span.start))
            counted += int((re.search(r"([\d,]+) parameters(?! of another)|$", found.text)[1] or "0").replace(",", ""))
    assert counted == cost(load(name).graph).parameters


def test_a_leak_is_told_where_it_is() -> None:
    assert [one.status for one in check_statuses(LEAKY)] == ["violated", "proved"]
    assert re.search(
        r"\*\*violated\*\*; lost here: `states.layers.0.attention` reads",
        told("|states:", LEAKY),
    )
    assert "lost in line 19" in told("|logits: {", LEAKY)
    # What comes before the leak has no part in it but as what is read.
    assert "violated" in told("|ids: int64", LEAKY)


def check_statuses(text: str) -> tuple[object, ...]:
    report = document(text).checked.report
    assert report is not None
    return report.verdicts


def test_the_last_good_types_are_told_while_a_text_is_broken() -> None:
    opened = document()
    assert opened.hover(place(DECODER, "|states:")) is not None
    broken = DECODER.replace("dims:", "dims: {")
    opened.change(broken)
    found = opened.hover(place(broken, "|states:"))
    assert found is not None
    assert "`float[batch, length, 16]`" in found.text
    assert "As of the last text that loaded." in found.text
    assert at(broken, found.extent) == "states"


def test_a_text_of_the_file_is_no_markdown() -> None:
    _, text = shipped("gated-attention")
    text = text.replace("about: attention in one head", "about: '![x](http://example.org/x.png) attention in one head")
    text = text.replace("a second branch gates", "a second branch gates'")
    found = document(text).hover(place(text, "  gated|_attention:"))
    assert found is not None
    assert r"\!\[x\]\(http://example.org/x.png\) attention in one head" in found.text


def test_values_inside_a_block_of_the_file_have_types() -> None:
    _, text = shipped("gated-attention")
    opened = document(text)
    found = opened.hover(place(text, "|u: {block"))
    assert found is not None
    assert "a node of the block `gated_attention`" in found.text
    value = check(shipped("gated-attention")[0]).spec.constants["d_gate"]
    assert f"float[batch, length, {value.as_dim()}]" in found.text
