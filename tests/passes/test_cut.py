"""The two parts of a graph give what the whole gives, and the first holds all that the fed input has no part in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.analyses.cost import cost
from archspec.analyses.parameters import expand
from archspec.analyses.size_use import sizes_of
from archspec.ir.verifier import verify
from archspec.oracle.interpreter import interpret
from archspec.passes.cut import Cut, cut
from archspec.spec import Spec, load
from tests.decoding.specs import TWO_TABLES


def two_tables(folder: Path) -> Spec:
    path = folder / "two-tables.yaml"
    path.write_text(TWO_TABLES, encoding="utf-8")
    return load(path)


def parted(spec: Spec) -> Cut:
    assert spec.decode is not None
    found = cut(spec.graph, spec.decode.input, spec.decode.output)
    for graph in (found.once, found.step):
        if graph is not None:
            verify(graph)
    return found


def test_what_depends_on_nothing_that_is_fed_is_handed_over(tmp_path: Path) -> None:
    found = parted(two_tables(tmp_path))
    assert found.once is not None
    assert [value.name for value in found.once.inputs] == ["src_ids"]
    assert found.once.output_names == ("memory",)
    assert [value.name for value in found.step.inputs] == ["tgt_ids", "memory"]
    assert found.step.output_names == ("logits",)


def test_both_parts_own_what_they_share(tmp_path: Path) -> None:
    spec = two_tables(tmp_path)
    found = parted(spec)
    assert found.once is not None
    first, second = set(expand(found.once)), set(expand(found.step))
    assert first | second == set(expand(spec.graph))
    assert first & second == {"source.table"}


def test_no_work_is_done_twice(tmp_path: Path) -> None:
    spec = two_tables(tmp_path)
    found = parted(spec)
    assert found.once is not None
    assert cost(found.once).flops + cost(found.step).flops == cost(spec.graph).flops


@pytest.mark.parametrize("name", ["t5-small", "transformer-base", None])
def test_the_parts_together_are_the_whole(name: str | None, tmp_path: Path) -> None:
    spec = two_tables(tmp_path) if name is None else load(name, reduced=True)
    found = parted(spec)
    assert found.once is not None
    random = np.random.default_rng(0)
    parameters = {
        name: random.normal(size=[size.constant for size in one.type.shape]) for name, one in expand(spec.graph).items()
    }
    given = {"src_ids": random.integers(41, size=(2, 5)), "tgt_ids": random.integers(41, size=(2, 4))}
    if "src_valid" in spec.inputs:
        given["src_valid"] = np.array([[True] * 5, [True, True, False, False, True]])
    whole = interpret(spec.graph, given, parameters)["logits"]
    once = {name: given[name] for name in (value.name for value in found.once.inputs)}
    handed = interpret(found.once, once, {name: parameters[name] for name in expand(found.once)})
    read = {value.name: {**given, **handed}[value.name] for value in found.step.inputs}
    step = interpret(found.step, read, {name: parameters[name] for name in expand(found.step)})["logits"]
    np.testing.assert_allclose(step, whole, atol=1e-12)


def test_a_decoder_has_nothing_to_do_once() -> None:
    found = parted(load("gpt2", reduced=True))
    assert found.once is None
    assert found.step.output_names == ("logits",)


def test_what_mentions_the_number_of_fed_positions_is_fed() -> None:
    found = parted(load("t5-small", reduced=True))
    assert found.once is not None
    sizes = {size.name for node in found.once.nodes for size in sizes_of(node)}
    assert "tgt" not in sizes
    assert "src" in sizes
