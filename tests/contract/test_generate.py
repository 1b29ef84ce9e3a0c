"""Generated inputs keep every promise, and so do their changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.contract.redraw import redraw
from archspec.contract.sizes import points, probe
from archspec.model.samples import OPEN, generate, patterns
from archspec.spec.claims import read_claims

CLAIMS = read_claims(
    """
archspec: 1
name: promises
dims:
  batch: [1, 2, 8]
  length: {min: 4, typical: 8, max: 64, multiple: 4}
inputs:
  ids: int64[batch, length] < 7
  right: {type: "bool[batch, length]", padding: right}
  left: {type: "bool[batch, length]", padding: left}
  any: bool[batch, length]
  segments: {type: "int64[batch, length]", sorted: true}
  given: int64[batch]
  x: float[batch, length, 3]
outputs:
  y: float[batch, length, 3]
"""
)
SIZES = st.fixed_dictionaries({"batch": st.integers(1, 5), "length": st.sampled_from([4, 8, 12])})
SEEDS = st.integers(0, 2**32 - 1)


def check(arrays: dict[str, np.ndarray], sizes: dict[str, int]) -> None:
    """The promises, each from its words."""
    length = sizes["length"]
    assert ((arrays["ids"] >= 0) & (arrays["ids"] < 7)).all()
    for row in arrays["right"]:
        count = int(row.sum())
        assert count >= 1
        assert row.tolist() == [True] * count + [False] * (length - count)
    for row in arrays["left"]:
        count = int(row.sum())
        assert count >= 1
        assert row.tolist() == [False] * (length - count) + [True] * count
    for row in arrays["segments"]:
        assert row.tolist() == sorted(row.tolist())
    assert ((arrays["given"] >= 0) & (arrays["given"] <= length)).all()
    assert np.isfinite(arrays["x"]).all()


@given(sizes=SIZES, pattern=st.sampled_from([*patterns(CLAIMS), OPEN]), seed=SEEDS)
def test_generated_inputs_keep_every_promise(sizes: dict[str, int], pattern: str, seed: int) -> None:
    arrays = generate(CLAIMS, sizes, pattern, seed)
    check(arrays, sizes)
    again = generate(CLAIMS, sizes, pattern, seed)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    if pattern == "empty row":
        assert not arrays["any"][0].any()
    if pattern == OPEN:
        assert arrays["any"].all()
        assert (arrays["given"] == sizes["length"]).all()
        assert len(np.unique(arrays["segments"])) == 1


@given(sizes=SIZES, name=st.sampled_from(list(CLAIMS.inputs)), seed=SEEDS, share=st.floats(0.1, 1))
def test_changes_keep_every_promise_and_stay_in_their_place(
    sizes: dict[str, int], name: str, seed: int, share: float
) -> None:
    arrays = generate(CLAIMS, sizes, "scattered", seed)
    generator = np.random.default_rng(seed)
    at = generator.random(arrays[name].shape[:2]) < share
    changed = redraw(CLAIMS, CLAIMS.inputs[name], arrays[name], at, sizes, generator)
    if changed is None:
        assert name in ("right", "left", "segments")
        return
    check({**arrays, name: changed}, sizes)
    differs = changed != arrays[name]
    assert not differs[~at].any()
    if name in ("ids", "any", "given", "x"):
        assert differs[at].all()
    else:
        assert differs.any()


def test_a_change_of_one_value_alone_cannot_be_had() -> None:
    one = read_claims(
        """
archspec: 1
name: one
dims: {batch: [1, 2, 4]}
inputs:
  ids: int64[batch] < 1
outputs:
  y: float[batch]
"""
    )
    made = redraw(one, one.inputs["ids"], np.zeros(2, np.int64), np.ones(2, bool), {}, np.random.default_rng(0))
    assert made is None


@pytest.mark.parametrize("sizes", [*points(CLAIMS).values(), probe(CLAIMS)])
def test_every_size_that_is_tried_is_admitted(sizes: dict[str, int]) -> None:
    for symbol in CLAIMS.dims.values():
        assert symbol.min <= sizes[symbol.name] <= symbol.max
        assert sizes[symbol.name] % symbol.multiple == 0


def test_the_sizes_are_least_typical_largest_and_a_prime_times_the_multiple() -> None:
    assert points(CLAIMS) == {
        "least": {"batch": 1, "length": 4},
        "typical": {"batch": 2, "length": 8},
        "largest": {"batch": 8, "length": 64},
        "prime": {"batch": 3, "length": 20},
    }
