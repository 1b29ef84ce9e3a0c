from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archspec.analyses.cost import cost
from archspec.diagnostics import Source, SpecError, render
from archspec.schema.merge import merge
from archspec.spec import load
from archspec.spec.inheritance import canonical, inherited
from archspec.spec.overrides import apply_overrides, parse_overrides
from archspec.text.nodes import MapNode
from archspec.text.reader import read
from tests.spec.example import spec_of, text_with


def tree(text: str) -> MapNode:
    return read(Source("spec.yaml", text))


MERGES = [
    ("a: {b: 1, c: 2}", "a: {c: 3}", "a: {b: 1, c: 3}"),
    ("a: {b: 1}", "a: {d: 2}", "a: {b: 1, d: 2}"),
    ("a: {b: 1}", "a: none", "a: none"),
    ("a: none", "a: {b: 1}", "a: {b: 1}"),
    ("a: [1, 2]", "a: [3]", "a: [3]"),
    ("a: [1, 2]", "a: {b: 1}", "a: {b: 1}"),
    ("a: {b: {c: {d: 1, e: 2}}}", "a: {b: {c: {e: 3}}}", "a: {b: {c: {d: 1, e: 3}}}"),
    ("norm: {kind: layer_norm, eps: 1}", "norm: {kind: rms_norm}", "norm: {kind: rms_norm}"),
    (
        "norm: {kind: layer_norm, eps: 1}",
        "norm: {kind: layer_norm, bias: false}",
        "norm: {kind: layer_norm, eps: 1, bias: false}",
    ),
    ("norm: {kind: layer_norm, eps: 1}", "norm: {bias: false}", "norm: {kind: layer_norm, eps: 1, bias: false}"),
    ("norm: layer_norm", "norm: {eps: 1}", "norm: {kind: layer_norm, eps: 1}"),
    ("norm: {kind: layer_norm, eps: 1}", "norm: rms_norm", "norm: rms_norm"),
    ("rules: [{causal: {output: y}}]", "rules: []", "rules: []"),
    ("x: {block: linear, dim: 3}", "x: {block: linear, bias: false}", "x: {block: linear, dim: 3, bias: false}"),
]


@pytest.mark.parametrize(("base", "over", "merged"), MERGES)
def test_maps_merge_and_all_else_replaces(base: str, over: str, merged: str) -> None:
    assert canonical(merge(tree(base), tree(over))) == canonical(tree(merged))


def test_a_merged_node_keeps_the_place_where_it_was_written() -> None:
    base, over = Source("base.yaml", "a: {b: 1, c: 2}"), Source("over.yaml", "a: {c: 3}")
    merged = merge(read(base), read(over))
    assert isinstance(merged, MapNode)
    inner = merged.get("a")
    assert isinstance(inner, MapNode)
    assert inner.get("b").span.source == base  # type: ignore[union-attr]
    assert inner.get("c").span.source == over  # type: ignore[union-attr]


def test_files_are_merged_depth_first_and_relative_to_themselves(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "root.yaml").write_text(text_with("constants: {d: 8, e: 1, f: 1}"))
    (tmp_path / "deep" / "middle.yaml").write_text("archspec: 1\nextends: ./root.yaml\nconstants: {e: 2, f: 2}\n")
    (tmp_path / "leaf.yaml").write_text("archspec: 1\nextends: deep/middle.yaml\nname: leaf\nconstants: {f: 3}\n")
    spec = load(tmp_path / "leaf.yaml")
    assert spec.name == "leaf"
    assert {name: value.constant() for name, value in spec.constants.items()} == {"d": 8, "e": 2, "f": 3}


def test_an_error_points_at_the_file_that_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(text_with("constants: {d: 8, e: d/3}"))
    (tmp_path / "leaf.yaml").write_text("archspec: 1\nextends: ./base.yaml\ngraph: {y: {dim: e}}\n")
    with pytest.raises(SpecError) as raised:
        load(tmp_path / "leaf.yaml")
    assert render(raised.value.diagnostics).replace(f"{tmp_path}/", "") == (
        "error[E301]: `e` is not a whole number\n"
        " --> leaf.yaml:3:18\n"
        "  |\n"
        "3 | graph: {y: {dim: e}}\n"
        "  |                  ^ this is 8/3\n"
        "  |\n"
        " ::: base.yaml:3:19\n"
        "  |\n"
        "3 | constants: {d: 8, e: d/3}\n"
        "  |                   - `e` is 8/3\n"
        "  |\n"
        "  = help: a size must be a whole number\n"
    )


def test_counts_are_those_of_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(text_with("counts: {parameters: 72}"))
    (tmp_path / "leaf.yaml").write_text("archspec: 1\nextends: ./base.yaml\nconstants: {d: 16}\n")
    assert load(tmp_path / "base.yaml").counts is not None
    assert load(tmp_path / "leaf.yaml").counts is None


def said(folder: Path, name: str) -> str:
    with pytest.raises(SpecError) as raised:
        load(folder / name)
    return render(raised.value.diagnostics).replace(f"{folder}/", "")


def test_files_may_not_extend_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("archspec: 1\nextends: ./b.yaml\n")
    (tmp_path / "b.yaml").write_text("archspec: 1\nextends: ./a.yaml\n")
    assert said(tmp_path, "a.yaml") == (
        "error[E207]: cyclic `extends`\n"
        " --> b.yaml:2:10\n"
        "  |\n"
        "2 | extends: ./a.yaml\n"
        "  |          ^^^^^^^^\n"
        "  |\n"
        " ::: a.yaml:2:10\n"
        "  |\n"
        "2 | extends: ./b.yaml\n"
        "  |          -------- which is extended here\n"
        "  |\n"
        "  = help: extend a file that does not extend this one\n"
    )


def test_a_missing_parent_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("archspec: 1\nextends: ./b.yaml\n")
    assert said(tmp_path, "a.yaml") == (
        "error[E208]: cannot read b.yaml: no such file or directory\n"
        " --> a.yaml:2:10\n"
        "  |\n"
        "2 | extends: ./b.yaml\n"
        "  |          ^^^^^^^^\n"
        "  |\n"
        "  = help: paths are relative to the file that names them\n"
    )
    (tmp_path / "a.yaml").write_text("archspec: 1\nextends: transformer-bas\n")
    assert "no spec is named `transformer-bas`" in said(tmp_path, "a.yaml")
    assert "did you mean `transformer-base`?" in said(tmp_path, "a.yaml")


def test_block_may_not_change(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(text_with())
    (tmp_path / "a.yaml").write_text("archspec: 1\nextends: ./base.yaml\ngraph:\n  y: {block: norm}\n")
    assert said(tmp_path, "a.yaml").startswith(
        "error[E206]: `block` changes from `linear` to `norm`\n --> a.yaml:4:14\n"
    )


def test_a_section_is_switched_off_with_none(tmp_path: Path) -> None:
    (tmp_path / "leaf.yaml").write_text("archspec: 1\nextends: gpt2\ndecode: none\nreduced: none\n")
    assert load("gpt2").decode is not None
    assert load(tmp_path / "leaf.yaml").decode is None


SETS = [
    (["d=16"], "constants: {d: 16}"),
    (["constants.d=16"], "constants: {d: 16}"),
    (["dims.length=[2, 3, 4]"], "dims: {batch: [1, 2, 4], length: [2, 3, 4]}"),
    (["dims.length.2=9"], "dims: {batch: [1, 2, 4], length: [1, 6, 9]}"),
    (["graph.y.bias=false"], "graph:\n  y: {block: linear, input: x, dim: d, bias: false}"),
    (["defaults.norm.eps=1e-6", "defaults.norm.kind=layer_norm"], "defaults: {norm: {eps: 1e-6, kind: layer_norm}}"),
    (
        ["graph.y.init={kind: normal, std: 0.1}"],
        "graph:\n  y: {block: linear, input: x, dim: d, init: {kind: normal, std: 0.1}}",
    ),
    (['name="quoted"'], None),
]


@pytest.mark.parametrize(("given", "changes"), SETS)
def test_overrides_change_what_the_file_says(given: list[str], changes: str | None, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(text_with())
    if changes is None:
        with pytest.raises(SpecError):
            load(tmp_path / "spec.yaml", set=given)
        return
    made = apply_overrides(inherited(tmp_path / "spec.yaml"), parse_overrides(given))
    assert canonical(made) == canonical(tree(text_with(changes)))
    assert load(tmp_path / "spec.yaml", set=given).as_written is False


REFUSED = {
    "e=3": """\
error[E201]: the file has no constant `e`
 --> --set
  |
  | e=3
  | ^
  |
  = help: available constants: `d`
""",
    "constants.e=3": """\
error[E201]: the file has no constant `e`
 --> --set
  |
  | constants.e=3
  |           ^
  |
  = help: available constants: `d`
""",
    "d": """\
error[E214]: expected NAME=VALUE
 --> --set
  |
  | d
  | ^
  |
  = help: write `--set d_model=256`
""",
    "d=": """\
error[E116]: `d` has no value
 --> --set
  |
  | d=
  | ^^
  |
  = help: write a value, or `none` to switch it off
""",
    "dims.length.3=9": """\
error[E214]: item `3` does not exist in a list of 3
 --> --set
  |
  | dims.length.3=9
  |             ^
  |
  = help: items are numbered from 0
""",
    "outputs.y.type.dtype=9": """\
error[E214]: `float[batch, length, d]` is text and has no `type`
 --> --set
  |
  | outputs.y.type.dtype=9
  |           ^^^^
  |
  = help: end the path at the text
""",
    "graph.y.dim=d/3": """\
error[E301]: `d/3` is not a whole number
 --> --set
  |
  | graph.y.dim=d/3
  |             ^^^ this is 8/3
  |
 ::: spec.yaml:3:13
  |
3 | constants: {d: 8}
  |             - `d` is 8
  |
  = help: write `//` to round down, or choose constants that divide
""",
    "graph.y.dmi=3": """\
error[E202]: unknown key `dmi`
 --> --set
  |
  | graph.y.dmi=3
  |         ^^^
  |
  = help: did you mean `dim`?
""",
    "dims.length=[1, 2": None,
    "dims.length=[1, \x07, 2]": None,
}


@pytest.mark.parametrize("given", REFUSED)
def test_refused_overrides_point_at_the_command_line(given: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        spec_of(tmp_path, set=[given])
    said = REFUSED[given]
    assert said is None or render(raised.value.diagnostics).replace(f"{tmp_path}/", "") == said
    assert all(found.primary and found.primary.span.source.name == "--set" for found in raised.value.diagnostics)


UNDONE = {
    ("d=3", "d=4"): """\
error[E214]: `constants.d` is set twice
 --> --set
  |
  | d=4
  | ^
  |
 ::: --set
  |
  | d=3
  | - first set here
  |
  = help: remove one of them
""",
    ("d=3", "constants.d=3"): "`constants.d` is set twice",
    ("graph.y.dim=8", "dims.length.2=9", "graph.y.dim=16"): "`graph.y.dim` is set twice",
    ("graph.y.dim=8", "graph.y={block: linear, input: x, dim: d}"): (
        "`graph.y` replaces `graph.y.dim`, which is set before it"
    ),
}


@pytest.mark.parametrize("given", UNDONE)
def test_an_override_that_a_later_one_undoes_is_refused(given: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(text_with())
    with pytest.raises(SpecError) as raised:
        load(tmp_path / "spec.yaml", set=given)
    (found,) = raised.value.diagnostics
    assert UNDONE[given] in (found.message, render([found]))


def test_a_later_override_may_be_of_a_part(tmp_path: Path) -> None:
    given = ["graph.y={block: linear, input: x, dim: d}", "graph.y.bias=false", "graph.y.init=zeros"]
    spec = spec_of(tmp_path, set=given)
    assert cost(spec.graph).parameters == 64


def test_a_node_may_have_the_name_of_a_section_and_either_is_reached(tmp_path: Path) -> None:
    graph = "graph:\n  weights: {block: linear, input: x, dim: d}\noutputs:\n  weights: float[batch, length, d]"
    layout = "weights.mine.map={weights: theirs}"
    spec = spec_of(tmp_path, graph, set=[layout, "graph.weights.bias=false"])
    assert list(spec.weights) == ["mine"]
    assert cost(spec.graph).parameters == 64


def test_one_override_may_be_given_as_text(tmp_path: Path) -> None:
    assert parse_overrides("d_model=8") == parse_overrides(["d_model=8"])


@pytest.mark.parametrize("wrong", [None, 3, b"gpt2", ["gpt2"]])
def test_what_names_no_spec(wrong: Any) -> None:
    with pytest.raises(TypeError, match="expected a spec, a path or the name of a shipped spec, got a "):
        load(wrong)
