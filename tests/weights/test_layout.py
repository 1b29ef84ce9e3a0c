from __future__ import annotations

from pathlib import Path

import pytest

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Source, SpecError
from archspec.layouts.layout import read_layout
from archspec.layouts.operations import RearrangeOperation
from archspec.text.nodes import MapNode, TextNode
from archspec.text.reader import read
from tests.editing import edited
from tests.weights.tables import codes, layout_of, only


def test_nested_maps_are_written_out() -> None:
    layout = layout_of(edited("map: {a.*: {from: b.*, map: {(c d): {from: e, map: {f: g}}}}}", ("(c d)", "c")))
    (line,) = layout.lines
    assert (str(line.ours), str(line.theirs[0])) == ("a.*.c.f", "b.*.e.g")


def test_a_nested_map_may_stand_for_the_whole_checkpoint() -> None:
    (line,) = layout_of('map: {body: {from: "", map: {f: g}}}').lines
    assert (str(line.ours), str(line.theirs[0])) == ("body.f", "g")


def test_operations_keep_their_order() -> None:
    (line,) = layout_of("map: {(a b): {split: 0, from: x, transpose: true, rearrange: i j -> j i}}").lines
    assert [step.word for step in line.operations] == ["split", "transpose", "rearrange"]
    (line,) = layout_of("map: {a: {from: x, transpose: false}}").lines
    assert line.operations == ()


def test_sizes_are_expressions_over_constants() -> None:
    text = "map: {a: {from: x, rearrange: (h d) i -> h d i, sizes: {h: 2*heads}}}"
    layout = read_layout("x", read(Source("s.yaml", text)), {"heads": Scalar.of(3)})
    (step,) = layout.lines[0].operations
    assert isinstance(step, RearrangeOperation)
    assert step.sizes == {"h": 6}


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("mapp: {a: b}", "E202", "mapp"),
        ("{map: {a: b}, skp: []}", "E202", "skp"),
        ("map: [a, b]", "E204", "[a, b]"),
        ("map: {a: [b, c]}", "E204", "[b, c]"),
        ("map: {a: {transpose: true}}", "E203", "a"),
        ("map: {a: {from: b, transposed: true}}", "E202", "transposed"),
        ("map: {a: {from: b, map: {c: d}, split: 0}}", "E511", "split"),
        ("map: {a: {from: [b, c], map: {c: d}}}", "E204", "[b, c]"),
        ("map: {a: {from: b, split: 0}}", "E511", "b"),
        ("map: {(a b): {from: c, split: x}}", "E121", "x"),
        ("map: {(a b): c}", "E511", "c"),
        ("map: {a: (b c)}", "E511", "(b c)"),
        ("map: {(a b): (c d e)}", "E511", "(c d e)"),
        ("map: {(a b).(c d): {from: x.(p q), split: 0}}", "E511", "x.(p q)"),
        ("map: {a: {from: [b, c]}}", "E511", "[b, c]"),
        ("map: {a: {from: b, concat: 0}}", "E511", "b"),
        ("map: {a: {from: b.*}}", "E511", "b.*"),
        ("map: {a: {from: b.*.*, stack: 0}}", "E511", "b.*.*"),
        ("map: {a.*: b}", "E511", "b"),
        ("map: {a: {from: b.*, concat: 0}}", "E511", "b.*"),
        ("map: {a: {from: [b.*, c], stack: 0}}", "E511", "[b.*, c]"),
        ("map: {a: {from: [b.*, c.*], concat: 1, stack: 0}}", "E511", "[b.*, c.*]"),
        ("map: {(a b): {from: [c, d], split: 0, concat: 0}}", "E511", "[c, d]"),
        ("map: {a: {from: [b, c], concat: 0, stack: 0}}", "E511", "[b, c]"),
        ("map: {a: b c}", "E510", " "),
        ('map: {a: "b(c d"}', "E510", "("),
        ("map: {a.((b) c): d}", "E510", "("),
        ("map: {a.**: d.*}", "E510", "a.**"),
        ("map: {a: {from: b, rearrange: i j -> i}}", "E120", "j"),
        ("map: {a: {from: b, rearrange: i j}}", "E120", "i j"),
        ("map: {a: {from: b, rearrange: i i -> i}}", "E120", "i"),
        ("map: {a: {from: b, rearrange: i 2 -> i}}", "E120", "2"),
        ('map: {a: {from: b, rearrange: "(i j -> i j"}}', "E120", "("),
        ("map: {a: {from: b, rearrange: i j -> j i, sizes: {k: 2}}}", "E511", "k"),
        ("map: {a: {from: b, rearrange: i j -> j i, sizes: {i: 0}}}", "E511", "0"),
        ("map: {a: {from: b, rearrange: i j -> j i, sizes: {i: n}}}", "E201", "n"),
        ("map: {a: {from: b, sizes: {i: 2}}}", "E511", "sizes"),
        ("{map: {a: b}, rename: {(a b): c}}", "E510", "(a b)"),
        ("{map: {a: b}, rename: [a]}", "E204", "[a]"),
        ("{map: {a: b}, skip: {a: b}}", "E204", "{a: b}"),
    ],
)
def test_what_does_not_make_sense_is_refused_where_it_stands(text: str, code: str, place: str) -> None:
    with pytest.raises(SpecError) as raised:
        layout_of(text)
    found = raised.value.diagnostics[0]
    assert found.code == code
    assert found.primary is not None
    assert found.primary.span.text == place


def test_every_error_of_a_layout_comes_in_one_run() -> None:
    with pytest.raises(SpecError) as raised:
        layout_of(
            edited("{map: {a: b c, d: {from: e, transposed: true}, f: {from: g, split: 0}}, skip: [(h]}", ("(h", "h i"))
        )
    assert sorted(codes(raised.value)) == ["E202", "E510", "E510", "E511"]


def test_a_layout_may_be_a_file_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "other.yaml").write_text("about: the other one\nmap:\n  a: b\n")
    spec = read(Source(str(tmp_path / "spec.yaml"), "other: maps/other.yaml"))
    node = spec.get("other")
    assert isinstance(node, TextNode)
    layout = read_layout("other", node)
    assert layout.about == "the other one"
    assert [str(line.ours) for line in layout.lines] == ["a"]
    assert layout.lines[0].span.source.name.endswith("other.yaml")


def test_a_layout_file_that_is_not_there(tmp_path: Path) -> None:
    spec = read(Source(str(tmp_path / "spec.yaml"), "other: gone.yaml"))
    assert isinstance(spec, MapNode)
    with pytest.raises(SpecError) as raised:
        read_layout("other", spec.entries[0].value)
    found = only(raised.value)
    assert found.code == "E208"
    assert found.primary is not None
    assert found.primary.span.text == "gone.yaml"
