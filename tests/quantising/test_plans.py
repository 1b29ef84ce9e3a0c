"""Plans in files: what was written is read again, and what was edited goes through the checks of formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.bundle.bundled_spec import PLAN, bundled_spec, read_plan, write_plan
from archspec.bundle.quantising import Quantisation
from archspec.diagnostics import SpecError
from archspec.ops.elementwise.rounded import Grid
from archspec.passes.quantise import storable
from archspec.passes.round_operands import products
from archspec.quantising.activations import Grids, GridWish, grids_of, planned_grids
from archspec.quantising.plan import Plan, plan_of, planned, read_wishes, written
from archspec.quantising.sizing import options
from tests.bundle.test_steps import TINY
from tests.mutation.shipped import distinct, reduced

# The grid that goes with the formats, if weights have no blocks.
FORMATS: list[tuple[list[str], Grid | None]] = [
    (["int8"], "int8"),
    (["fp8"], "fp8"),
    (["int4:16"], None),
    (["int8:32"], None),
]


def grids(graph: Any, grid: Grid | None, plan: Plan) -> Grids:
    return grids_of(graph, [GridWish(node="", grid=grid)], plan) if grid and products(graph) else {}


@pytest.mark.parametrize("name", distinct())
def test_what_was_written_is_read_again(name: str, tmp_path: Path) -> None:
    graph, path = reduced(name).graph, tmp_path / PLAN
    every = list(storable(graph))
    # Every other weight in another format.
    mixed = [f"{one}={('int8', 'int4:16', 'int4:32', 'fp8')[number % 4]}" for number, one in enumerate(every)]
    for formats, grid in [*FORMATS, (mixed, None)]:
        plan = plan_of(graph, read_wishes(formats))
        rounded = grids(graph, grid, plan)
        for kept in (False, True):
            path.write_text(write_plan(plan, rounded, rounds_kept=kept))
            found = read_plan(path)
            assert planned(graph, found.formats) == plan
            assert planned_grids(graph, found.activations, plan) == rounded
            assert (found.kv_cache == "int8") is kept
        if formats != mixed and grid != "fp8":
            ways = [(one, way.storage) for one, each in options(graph, plan, tuple(plan)).items() for way in each]
            chosen = {number: one for number, one in enumerate(ways) if one[1] is not None}
            assert all(planned(graph, written({one: way})) == {one: way} for one, way in chosen.values() if way)


def test_what_the_cache_keeps_alone_is_a_plan(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text(write_plan({}, {}, rounds_kept=True))
    assert read_plan(tmp_path / PLAN).kv_cache == "int8"


UP, Q = "states.layers.*.feed_forward.up", "states.layers.*.attention.q"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ({"formats": {"source.table": "int4:32"}}, "E631", ["`source.table`", "`int4:32`", "looked up"]),
        ({"formats": {"source.table": "fp8"}}, "E631", ["`source.table`", "`fp8`", "looked up"]),
        ({"formats": {f"{UP}.weight": "int4:64"}}, "E631", [f"`{UP}.weight`", "`int4:64`", "no whole blocks of 64"]),
        ({"formats": {f"{UP}.weight": "float"}}, "E631", [f"`{UP}.weight`", "`float`", "leaves out"]),
        ({"formats": {"states.final_norm.weight": "int8"}}, "E631", ["`states.final_norm.weight`", "no weights"]),
        ({"formats": {"other.weight": "int8"}}, "E631", ["`other.weight`", "no weights"]),
        ({"formats": {f"{UP}.weight": "int4"}}, "E630", ["int4"]),
        ({"formats": {f"{UP}.weight": "int8"}, "activations": {UP: "fp8"}}, "E632", [f"`{UP}`", "fp8", "int8"]),
        ({"formats": {f"{UP}.weight": "fp8"}, "activations": {UP: "int8"}}, "E632", [f"`{UP}`", "int8", "fp8"]),
        ({"formats": {f"{UP}.weight": "int4:16"}, "activations": {UP: "int8"}}, "E632", [f"`{UP}`", "int4:16"]),
        ({"formats": {f"{UP}.weight": "int8:16"}, "activations": {UP: "int8"}}, "E632", [f"`{UP}`", "int8:16"]),
        # A wish for fp8 would become int8 with a table; a file says what is rounded.
        ({"formats": {"source.table": "int8"}, "activations": {"logits": "fp8"}}, "E632", ["`logits`", "int8"]),
        ({"formats": {}, "activations": {"states.final_norm": "int8"}}, "E631", ["`states.final_norm`"]),
        ({"formats": {}, "activations": {UP: "float"}}, "E630", ["float"]),
        ({"formats": {}}, "E630", ["nothing is stored"]),
        ({"formats": {}, "activations": {}, "kv_cache": None}, "E630", ["nothing is stored"]),
        ('{"formats": {"source.table": "int8", "source.table": "int8:16"}}', "E630", ["`source.table` is given more"]),
        ('{"formats": {}, "formats": {"source.table": "int8"}}', "E630", ["`formats` is given more"]),
        ("[" * 100_000, "E630", ["not a plan"]),
        ({"formats": {"source.table": "int8"}, "kv_cache": "fp8"}, "E630", ["int8"]),
    ],
    ids=str,
)
def test_an_edited_plan_is_refused_by_a_build_and_where_a_bundle_is_read(
    tmp_path: Path, text: Any, code: str, words: list[str]
) -> None:
    (tmp_path / "spec.yaml").write_text(TINY)
    (tmp_path / PLAN).write_text(text if isinstance(text, str) else json.dumps(text))
    with pytest.raises(SpecError) as built:
        archspec.build(tmp_path / "spec.yaml", tmp_path / "out", quantise=str(tmp_path / PLAN), cache=False)
    with pytest.raises(SpecError) as read:
        bundled_spec(tmp_path / "spec.yaml")
    for raised in (built, read):
        (found,) = raised.value.diagnostics
        said = "\n".join((found.message, *found.notes))
        assert found.code == code, said
        assert all(word in said for word in words), said
    assert not (tmp_path / "out").exists()


def test_a_plan_that_keeps_a_cache_is_refused_for_a_spec_without_one(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("\n".join(line for line in TINY.splitlines() if not line.startswith("decode")))
    (tmp_path / PLAN).write_text(write_plan({}, {}, rounds_kept=True))
    assert archspec.load(tmp_path / "spec.yaml").decode is None
    with pytest.raises(SpecError) as raised:
        bundled_spec(tmp_path / "spec.yaml")
    assert [one.code for one in raised.value.diagnostics] == ["E632"]


def test_a_folder_in_place_of_a_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").mkdir()
    with pytest.raises(SpecError) as raised:
        archspec.build("gpt2", tmp_path / "out", quantise=Quantisation(formats=(str(tmp_path / "plan.json"),)))
    assert [one.code for one in raised.value.diagnostics] == ["E630"]
