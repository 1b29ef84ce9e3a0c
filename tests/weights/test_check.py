"""Layouts are held against the architecture alone, before any checkpoint is there."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.diagnostics import Collector, Diagnostic
from archspec.layouts.bind import bind
from archspec.layouts.check import layout_diagnostics
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layouts
from archspec.spec import load
from archspec.spec.files import locate
from archspec.spec.shipped import shipped_specs_dir
from tests.editing import edited

ROOT = Path(__file__).parents[2]


def lines(found: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    """The code of each diagnostic, and the text that it marks."""
    marked = [one.primary.span for one in found if one.primary is not None]
    assert len(marked) == len(found)
    return [(one.code, span.source.text[span.start : span.end]) for one, span in zip(found, marked, strict=True)]


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_specs_dir().glob("*.yaml")))
def test_shipped_layouts_fit(name: str) -> None:
    assert layout_diagnostics(load(name, reduced=True)) == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("states.final_norm: ln_f", "states.last_norm: ln_f", {("E512", "states.last_norm"), ("E515", "")}),
        ("      states.final_norm: ln_f\n", "", {("E515", "")}),
        (
            "states.final_norm: ln_f",
            "source.(table positions): ln_f.(a b)",
            {("E516", "source.(table positions)"), ("E515", "")},
        ),
        ("states.final_norm: ln_f", "states.final_norm: {from: ln_f, splt: 0}", {("E202", "splt")}),
        ("states.final_norm: ln_f", "states.final_norm: {from: ln_f, split: x}", {("E121", "x")}),
        ("from: h.*", "from: h", {("E511", "attn.c_proj.bias"), ("E511", "ln_2")}),
        ("prefix: [transformer.", "prefx: [transformer.", {("E202", "prefx")}),
        ("source.table: wte.weight", "source.(table): (wte wpe).weight", {("E511", "(wte wpe).weight")}),
        ("states.layers.*:", "states.layers.0:", {("E511", "ln_1")}),
    ],
)
def test_a_bad_map_is_told_with_its_lines(old: str, new: str, told: set[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = locate("gpt2").read_text("utf-8")
    assert old in text
    path.write_text(edited(text, (old, new)))
    found = lines(layout_diagnostics(load(path)))
    assert told <= {(code, "" if code == "E515" else text) for code, text in found}
    assert {code for code, _ in found} == {code for code, _ in told}


def test_a_line_that_does_not_parse_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = locate("gpt2").read_text("utf-8")
    text = edited(text, ("ln_1\n", '{from: ln_1, rearrange: "(a b -> b a"}\n'), ("final_norm: ln_f", "gone: ln_f"))
    path.write_text(text)
    assert lines(layout_diagnostics(load(path))) == [("E120", "("), ("E512", "states.gone")]


def test_reading_layouts_loads_nothing_heavy() -> None:
    source = "import sys, archspec.spec, archspec.layouts.check as c\n"
    source += "assert c.layout_diagnostics(archspec.spec.load('gpt2')) == ()\n"
    source += "assert not {'torch', 'numpy', 'safetensors'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", source], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", ["gpt2", "gemma-2-2b", "t5-small", "resnet-50", "mixtral-8x7b"])
def test_one_layer_of_each_kind_tells_what_all_tell(name: str, tmp_path: Path) -> None:
    """Layouts with lines changed at random, against binding every parameter by name."""
    draw = random.Random(name)
    text = locate(name).read_text("utf-8")
    start = text.index("\nweights:")
    for _ in range(12):
        changed = text[:start] + draw.choice(_CHANGES)(text[start:], draw)
        path = tmp_path / "mine.yaml"
        path.write_text(changed)
        spec = load(path)
        wanted = Collector()
        with wanted.catching():
            for layout in layouts(spec):
                bind(layout, parameter_shapes(spec.graph), wanted)
        assert set(layout_diagnostics(spec)) >= set(wanted.diagnostics)
        assert bool(layout_diagnostics(spec)) == bool(wanted.diagnostics)


_CHANGES = [
    lambda text, draw: _one(text, draw, r"layers\.\*", "layers.{0}"),
    lambda text, draw: _one(text, draw, r"(?<=\n)          [^\n]*\n", ""),
    lambda text, draw: _one(text, draw, r"\(q k v", "(q k x"),
    lambda text, draw: _one(text, draw, r"norm", "norms"),
    lambda text, draw: text,
]


def _one(text: str, draw: random.Random, pattern: str, new: str) -> str:
    found = draw.choice([*re.finditer(pattern, text), None])
    if found is None:
        return text
    return text[: found.start()] + new.format(draw.choice([0, 1, 99])) + text[found.end() :]
