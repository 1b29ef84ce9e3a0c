"""The report: what it says of specs and bundles, escaped, with nothing that a browser would load."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from archspec.analyses.figures import scaled
from archspec.analyses.memory import in_words
from archspec.bundle.manifest import Manifest
from archspec.bundle.report import BundleReport
from archspec.checking import check
from archspec.views.comparison.compare import compare
from archspec.views.html.document import Reported, document
from tests.chains import chain_file
from tests.views.hostile import MARKUP, hostile
from tests.views.page_elements import Elements, luminance, style_rules
from tests.views.written_bundle import MANIFEST, QUANTISED, REPORT

LOADING = {
    "src",
    "srcset",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "ping",
    "cite",
    "manifest",
    "xlink:href",
}


def bundle(**more: object) -> SimpleNamespace:
    manifest, report = Manifest.model_validate({**MANIFEST, **more}), BundleReport.model_validate(REPORT)
    return SimpleNamespace(path=Path("somewhere"), manifest=manifest, report=report)


@cache
def page(name: str) -> str:
    match name:
        case "bundle":
            return document([Reported(label="a", report=check("minilm-l6", reduced=True), bundle=bundle())])
        case "quantised":
            bundles = {"floats": bundle(), "integers": bundle(quantised=QUANTISED)}
            checked = check("minilm-l6", reduced=True)
            return document([Reported(label=label, report=checked, bundle=one) for label, one in bundles.items()])
        case "two":
            reports = [check(one, reduced=True) for one in ("gpt2", "mixtral-8x7b")]
            compared = compare([one.accept() for one in reports], measured=False)
            return document([Reported(label=one.spec.name, report=one) for one in reports], compared)
        case "leak":
            report = check("minilm-l6", set={"graph.states.attention.mask": "all"}, reduced=True)
            return document([Reported(label="leak", report=report)])
        case _:
            return document([Reported(label=name, report=check(name))])


EVERY = ["transformer-base", "mixtral-8x7b", "bundle", "quantised", "two", "leak"]


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_loaded_and_nothing_runs(name: str) -> None:
    found = Elements(page(name))
    assert not {tag for tag, _ in found.found} & {
        "script",
        "link",
        "img",
        "image",
        "use",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
    }
    for tag, attributes in found.found:
        assert not attributes.keys() & LOADING, (tag, attributes)
        assert not [key for key in attributes if key.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
        assert "url(" not in (attributes.get("style") or "")
    policies = [one["content"] for tag, one in found.found if tag == "meta" and one.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    (style,) = re.findall(r"<style>(.*?)</style>", page(name), re.S)
    assert "url" not in style and "@import" not in style and "<" not in style


@pytest.mark.parametrize("name", EVERY)
def test_headings_are_in_order_and_every_anchor_is_there_once(name: str) -> None:
    found = Elements(page(name)).found
    levels = [int(tag[1]) for tag, _ in found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    anchors = [one["id"] for _, one in found if "id" in one]
    assert len(anchors) == len(set(anchors))
    for _, one in found:
        if "href" in one:
            assert (one["href"] or "")[1:] in anchors


@pytest.mark.parametrize("name", EVERY)
def test_pictures_have_names_and_tables_have_heads(name: str) -> None:
    found = Elements(page(name)).found
    pictures = [one for tag, one in found if tag == "svg"]
    assert pictures and all(one["role"] == "img" and one["aria-label"] for one in pictures)
    assert all(one["scope"] in ("col", "row") for tag, one in found if tag == "th")
    tables = sum(tag == "table" for tag, _ in found)
    assert tables == sum(tag == "caption" for tag, _ in found) == sum(tag == "thead" for tag, _ in found)


def test_what_a_spec_says_is_text_wherever_it_says_it(tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(hostile(), encoding="utf-8")
    report = check(path)
    assert not report.holds
    written = document([Reported(label=MARKUP, report=report)])
    found = Elements(written)
    assert not {tag for tag, _ in found.found} & {"script", "img"}
    # The description, the lines of the file with their comments, the picture and the label.
    assert found.words.count("<script>alert(1)</script>") >= 5
    assert written.count("http://archspec.invalid") == written.count("&lt;img src=http://archspec.invalid")
    # No character that turns the text after it, and none that no document may hold.
    assert "\u202e" not in written and "\u0007" not in written
    assert "\u05e9\u05dc\u05d5\u05dd" in written


def test_a_graph_of_thousands_of_nodes_is_listed_and_not_drawn(tmp_path: Path) -> None:
    count = 700
    path = chain_file(tmp_path, count)
    found = Elements(document([Reported(label="deep", report=check(path))]))
    assert "Not drawn: the architecture has more than 500 parts, too many for one picture" in found.words
    assert "701 parts" in found.words
    assert "n699" in found.words


def test_cells_that_hardly_differ_in_brightness_differ_in_form() -> None:
    from archspec.views import mask_picture, relation_picture

    for levels in (mask_picture.LEVELS, relation_picture.LEVELS):
        for one, other in combinations(levels, 2):
            assert contrast(one.color, other.color) >= 3 or one.dotted != other.dotted


def test_costs_are_those_of_the_check() -> None:
    report, words = check("mixtral-8x7b"), Elements(page("mixtral-8x7b")).words
    for sizes in (
        {k: one.min for k, one in report.spec.dims.items()},
        {k: one.max for k, one in report.spec.dims.items()},
    ):
        assert scaled(report.cost.flops.value(sizes), "FLOP") in words
        assert in_words(max(one.value(sizes) for one in report.cost.peak_activations)) in words
    assert f"{report.cost.parameters:,}" in words
    assert in_words(report.cost.weight_bytes) in words


def test_the_leak_is_named_and_drawn() -> None:
    words = Elements(page("leak")).words
    assert "does not hold" in words
    assert "is violated. The thick line is the path that the table of rules tells." in words
    # The path of each of the three rules stands once, and what tells of it leads there.
    assert [words.count(f"{place}, ") for place in ("pooled.0", "embedding.0", "states.layers.0.attention")] == [
        1,
        1,
        3,
    ]
    found = Elements(page("leak")).found
    keys = {one["id"] for _, one in found if (one.get("id") or "").startswith("path-")}
    links = [one["href"] for tag, one in found if tag == "a" and (one.get("href") or "").startswith("#path-")]
    assert len(keys) == 3
    assert sorted(links) == sorted(f"#{key}" for key in keys for _ in range(2))
    assert page("leak").count('class="lit wire"') > 3


def test_a_bundle_says_what_was_proved_tested_and_run() -> None:
    words = re.sub(r"\s+", " ", Elements(page("bundle")).words)
    # What its report says of one network, of each artifact tied to it, and of what nobody measured.
    assert "The network of tensorrt-rtx, float32, has 12 layers" in words
    assert "which is that of tensorrt-rtx:sm86." in words
    assert "The build compared the outputs of onnx, step of onnx, and did not measure rules on them" in words
    assert "19 runs; at every output position" in words and "too many parameters to redraw" in words
    assert "nowhere itself; its network ran on the CPU of the host that built it" in words
    assert "1.0e-02" in words and "too large" in words and "position 3" in words
    assert "tensorrt-rtx:sm86: it needs a GPU" in words
    assert "step of tensorrt-rtx:sm86: E624: the tool refused" in words
    assert "The bundle was built although this does not hold: a rule is violated" in words
    assert "The weights were initialised under seed 3." in words


def test_a_bundle_says_what_is_rounded_and_what_that_costs() -> None:
    words = re.sub(r"\s+", " ", Elements(page("quantised")).words)
    table, own = words.split("Bytes of all weights")[0].rsplit("Formats of weights", 1)
    assert "int4:32 2 states.layers.*.q.weight states.layers.*.k.weight" in own
    assert "int8 1 ids.table float 1 logits.weight" in own
    assert "20.2 kB 0.0%" in words and "30.4 MB 33.4%" in words and "90.9 MB 100.0%" in words
    assert "what 1 product read int8 states.layers.*.q" in words
    assert "what the cached step keeps of past positions int8" in words
    assert f"The scales were measured on calibrating.npz (SHA-256 {'5' * 64})." in words
    assert "ids.table Q8_0, Q6_K int8" in words and "Q4_K has <offsets>, so it was rounded" in words
    cells = "2,560 {} 87.50% 2,550 11.04 → 12.06 50.00% → 43.75%"
    for what, kl in (("the module", "0.0123"), ("onnx, inputs rounded", "0.0456")):
        assert f"{what} {cells.format(kl)} 0.25 of 6.5" in words
        # The same beside the other bundle, which is before both.
        assert f"integers {what} the <evil>.npz {cells.format(kl)}" in table
    assert "floats floats 90.9 MB floats floats" in table
    assert "integers 2 as int4:32, 1 as int8, 1 as floats 20.2 kB 90.9 MB 1 to int8 int8" in table
    assert f"Measured on the <evil>.npz (SHA-256 {'4' * 64})." in words
    assert "the module: of 1,000 classes of logits, every first choice is that of the floats" in words
    first = "onnx, inputs rounded: of 1,000 classes of logits, the first other choice is in row 3 at 7: 42 for 41"
    assert f"{first}; greedy decoding gives 5 of 32" in words
    assert "kl at most 0.02 the perplexity grows by at most 10%" in words
    assert "These also round the inputs of products to eight bits when they run: onnx." in words
    assert "different inputs" not in words


def test_a_bundle_says_what_was_not_measured() -> None:
    few = {"formats": {}, "bytes": 90_900_000, "packed_bytes": 90_900_000, "float_bytes": 90_900_000}
    kept = bundle(quantised={**few, "kv_cache": "int8"})
    checked = check("minilm-l6", reduced=True)
    words = Elements(document([Reported(label="kept", report=checked, bundle=kept)])).words
    assert "All weights are floats, which take 90.9 MB." in words
    assert "The scales came with the weights: they were not measured in this build." in words
    assert "What rounding costs was not measured: archspec build --evaluate does." in words
    # Losses on other inputs say nothing of each other, and a bundle without any says nothing at all.
    other = {**few, "loss": {**QUANTISED["loss"], "sha256": "6" * 64}}
    both = {"one": bundle(quantised=QUANTISED), "two": bundle(quantised=other), "three": bundle()}
    words = Elements(document([Reported(label=k, report=checked, bundle=one) for k, one in both.items()])).words
    assert "They were measured on different inputs: such losses cannot be compared." in words
    alone = Elements(document([Reported(label=k, report=checked, bundle=bundle()) for k in ("one", "two")])).words
    assert "Quantis" not in alone and "rounding costs" not in alone


def test_what_the_bundle_says_is_text() -> None:
    for name in ("bundle", "quantised"):
        assert "<evil>" in Elements(page(name)).words
        assert "<evil>" not in page(name)


def test_no_report_needs_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'rich', 'onnxruntime'): sys.modules[name] = None\n"
        "from archspec.cli import cli\n"
        "cli(['report', 'gpt2', 'minilm-l6', '--reduced', '-o', 'found.html'], standalone_mode=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote found.html\n"


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_in_pictures_is_legible_on_light_and_on_dark() -> None:
    """Every colour of a drawn box has a dark one in its place, on which the text has the contrast that WCAG AA asks."""
    from archspec.views import mask_picture, relation_picture
    from archspec.views.canvas import GREY, INK, PAPER
    from archspec.views.diagram import draw

    dark = style_rules("fill")
    boxes = {*draw._FILL.values(), PAPER}
    for box in boxes:
        for words in (INK, GREY):
            assert contrast(words, box) >= 4.5, (words, box)
            assert contrast(dark[words], dark[box]) >= 4.5, (words, box)
    assert contrast(PAPER, draw.LEAK) >= 4.5 and contrast(dark[PAPER], dark[draw.LEAK]) >= 4.5
    # What is no text must be told from what is behind it.
    for level in (*mask_picture.LEVELS[1:], *relation_picture.LEVELS[1:]):
        assert dark[level.color]
        assert contrast(dark[level.color], dark[PAPER]) >= 3
    assert contrast(style_rules("stroke")[draw.LEAK], dark[PAPER]) >= 3 <= contrast(draw.LEAK, PAPER)


@pytest.mark.parametrize("name", EVERY)
def test_every_colour_of_a_picture_has_a_dark_one(name: str) -> None:
    for kind in ("fill", "stroke"):
        known = style_rules(kind)
        used = {one[kind] for _, one in Elements(page(name)).found if one.get(kind)}
        assert used - {"none"} <= known.keys()
