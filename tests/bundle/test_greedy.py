"""The first token that greedy decoding chooses differently, against generation itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import archspec
from archspec.bundle.greedy import MOST_TOKENS, greedy
from archspec.bundle.quantising import Quantisation
from archspec.diagnostics import SpecError
from archspec.layouts.parameters import parameter_shapes
from archspec.model.ports import Interface, interface_of
from archspec.model.runner import Array, Arrays, FunctionRunner, Runner
from archspec.spec import Decode
from tests.bundle.test_steps import TINY
from tests.steps import steps_here


@pytest.mark.parametrize("seed", [0, 2])
def test_it_is_where_generation_of_both_parts(tmp_path: Path, seed: int) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    spec, rng = archspec.load(tmp_path / "tiny.yaml"), np.random.default_rng(seed)
    drawn = {n: (0.3 * rng.normal(size=s)).astype("f") for n, s in parameter_shapes(spec.graph).items()}
    save_file(drawn, tmp_path / "w.safetensors")
    ids = rng.integers(0, 50, size=(2, 9))
    np.savez(tmp_path / "ids.npz", ids=ids)
    asked = Quantisation(formats=("int4:16",), evaluate=tmp_path / "ids.npz")
    with steps_here():
        bundle = archspec.build(spec, tmp_path / "out", weights=tmp_path / "w.safetensors", cache=False, quantise=asked)
    module = archspec.compile(spec)
    archspec.load_weights(module, spec, tmp_path / "w.safetensors")
    prompt = ids[0, :5].tolist()
    floats, integers = (
        archspec.generate(source, prompt, max_new=27, module=own)[0].ids
        for source, own in ((spec, module), (bundle, None))
    )
    assert bundle.manifest.quantised is not None
    assert bundle.manifest.quantised.loss is not None
    found = bundle.manifest.quantised.loss.greedy
    assert found is not None
    assert (found.prompt, found.tokens) == (5, 27)
    parts = next((place for place, both in enumerate(zip(floats, integers, strict=True)) if both[0] != both[1]), None)
    assert found.first == (None if parts is None else [parts, floats[parts], integers[parts]])
    assert str(found) in bundle.summary()


DECODE = Decode(input="ids", output="logits")
FILE = """
archspec: 1
name: ids
dims: {batch: [1, 1, 2], length: [2, 8, 80]}
inputs: {ids: "int64[batch, length] < 8"}
graph:
  h: {block: token_embedding, ids: ids, vocab: 8, dim: 8}
  logits: {block: linear, input: h, dim: 8}
outputs: {logits: "float[batch, length, 8]"}
"""


def following(change: int = 100) -> Runner:
    """The choice after an id is the next one of eight; after `change` ids another one is chosen."""

    def run(arrays: Arrays) -> dict[str, Array]:
        ids = arrays["ids"]
        chosen = (ids + 1 + (np.arange(ids.shape[1]) >= change)) % 8
        return {"logits": np.eye(8, dtype="f")[chosen]}

    return FunctionRunner(function=run)


@pytest.fixture
def interface(tmp_path: Path) -> Interface:
    (tmp_path / "ids.yaml").write_text(FILE)
    return interface_of(archspec.load(tmp_path / "ids.yaml"))


def test_end_ids_bans_and_room(interface: Interface) -> None:
    row, all_count = {"ids": np.array([[7, 0, 1, 2, 3, 4]])}, np.ones(6, bool)
    found = greedy(DECODE, interface, row, all_count, following(), following())
    assert found is not None
    assert (found.prompt, found.tokens, found.first) == (3, MOST_TOKENS, None)
    # The choices after three ids are 2, 3, 4, ...; with ten ids before, the other one chooses 2 in place of 1.
    found = greedy(DECODE, interface, row, all_count, following(), following(9))
    assert found is not None
    assert found.first == (7, 1, 2)
    found = greedy(replace(DECODE, end=(4,)), interface, row, all_count, following(), following(9))
    assert found is not None
    assert (found.tokens, found.first) == (3, None)
    # The first choices are 2 and 3; where neither may be chosen, both take the first class, and then the next ones.
    found = greedy(DECODE, interface, row, all_count, following(), following(2))
    assert found is not None
    assert found.first == (0, 2, 3)
    found = greedy(replace(DECODE, ban=(2, 3)), interface, row, all_count, following(), following(2))
    assert found is not None
    assert found.first == (1, 1, 0)
    few = interface.narrowed({"length": [2, 4, 5]})
    found = greedy(DECODE, few, row, all_count, following(), following(4))
    assert found is not None
    assert (found.prompt, found.tokens, found.first) == (3, 2, None)


def test_scores_that_are_not_finite_are_refused(interface: Interface) -> None:
    row, all_count = {"ids": np.array([[7, 0, 1, 2, 3, 4]])}, np.ones(6, bool)

    def broken(arrays: Arrays) -> dict[str, Array]:
        found = following().run(arrays)["logits"]
        found[:, 9:] = np.nan
        return {"logits": found}

    runner = FunctionRunner(function=broken)
    for both in ((runner, following()), (following(), runner)):
        with pytest.raises(SpecError, match="not finite"):
            greedy(DECODE, interface, row, all_count, *both)


def test_padding_is_no_part_of_a_prompt(interface: Interface) -> None:
    row = {"ids": np.array([[0, 0, 4, 5, 6, 7]])}
    found = greedy(DECODE, interface, row, np.array([0, 0, 1, 1, 1, 1], bool), following(), following(2))
    assert found is not None
    # Two ids, then 6 after the second of them, at which both choose the same; then 7 against 0.
    assert (found.prompt, found.first) == (2, (1, 7, 0))
    assert greedy(DECODE, interface, row, np.zeros(6, bool), following(), following()) is None
    assert greedy(DECODE, interface, row, np.array([0, 0, 0, 0, 0, 1], bool), following(), following()) is None
