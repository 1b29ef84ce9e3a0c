"""Each mistake in what a caller gives has its own diagnostic, and all come in one run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archspec.bundle.inputs import prepare
from archspec.bundle.sample import sample
from archspec.diagnostics import SpecError
from archspec.engines.interface import DimRange, InputPort, Interface

INTERFACE = Interface(
    dims={
        "batch": DimRange(min=1, typical=2, max=8),
        "tokens": DimRange(min=2, typical=12, max=32),
        "height": DimRange(min=16, typical=32, max=64, multiple=16),
    },
    inputs={
        "ids": InputPort(type="int64[batch, tokens] < 50"),
        "right": InputPort(type="bool[batch, tokens]", default=True, padding="right"),
        "left": InputPort(type="bool[batch, tokens]", default=True, padding="left"),
        "segments": InputPort(type="int32[batch, 2*tokens + 1]", default=0, sorted=True),
        "pixels": InputPort(type="float[batch, 3, height, height//16]", default=0.5),
    },
    outputs={"out": "float[batch]"},
)
IDS = np.ones((2, 6), dtype=np.int64)


def refusal(**given: Any) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as raised:
        prepare(INTERFACE, {"ids": IDS, **given}, "float32")
    return [(found.code, found.message) for found in raised.value.diagnostics]


def test_defaults_are_broadcast_and_floats_take_the_artifacts_precision() -> None:
    found = prepare(INTERFACE, {"ids": IDS.astype(np.int32)}, "float16")
    assert list(found) == ["ids", "right", "left", "segments", "pixels"]
    assert found["ids"].dtype == np.int64
    assert found["right"].shape == (2, 6) and found["right"].all()
    assert found["segments"].shape == (2, 13) and found["segments"].dtype == np.int32
    assert found["pixels"].shape == (2, 3, 32, 2)  # height is told by no input: its typical size
    assert found["pixels"].dtype == np.float16 and (found["pixels"] == 0.5).all()
    given = prepare(INTERFACE, {"ids": IDS, "pixels": np.ones((2, 3, 48, 3))}, "float32")
    assert given["pixels"].dtype == np.float32


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"id": IDS}, ("E711", "`id` is no input")),
        ({"ids": IDS.astype(np.float32)}, ("E713", "`ids` holds float32, the input is int64[batch, tokens] < 50")),
        ({"ids": IDS.astype(bool)}, ("E713", "`ids` holds bool, the input is int64[batch, tokens] < 50")),
        ({"ids": IDS.astype(np.uint64)}, ("E713", "`ids` holds uint64, the input is int64[batch, tokens] < 50")),
        ({"right": IDS}, ("E713", "`right` holds int64, the input is bool[batch, tokens]")),
        ({"ids": IDS[0]}, ("E714", "`ids` has 1 axis (6), the input is int64[batch, tokens] < 50")),
        ({"right": np.ones((2, 5), dtype=bool)}, ("E715", "axis 1 of `right` has size 5, it is tokens = 6")),
        (
            {"segments": np.zeros((2, 12), dtype=np.int32)},
            ("E715", "axis 1 of `segments` has size 12, it is 2*tokens + 1 = 13"),
        ),
        ({"pixels": np.zeros((2, 4, 32, 2))}, ("E715", "axis 1 of `pixels` has size 4, it is 3")),
        ({"pixels": np.zeros((2, 3, 32, 3))}, ("E715", "axis 3 of `pixels` has size 3, it is height//16 = 2")),
        ({"pixels": np.zeros((2, 3, 80, 5))}, ("E716", "`height` is 80 in `pixels`, it goes from 16 to 64")),
        ({"pixels": np.zeros((2, 3, 40, 2))}, ("E717", "`height` is 40 in `pixels`, it is a multiple of 16")),
        ({"ids": np.ones((2, 1), dtype=np.int64)}, ("E716", "`tokens` is 1 in `ids`, it goes from 2 to 32")),
        ({"ids": np.array([[1, 50, 2]])}, ("E718", "`ids[0, 1]` is 50")),
        ({"ids": np.array([[1, 0, -1]])}, ("E718", "`ids[0, 2]` is -1")),
        (
            {"right": np.array([[1] * 6, [1, 0, 1, 0, 0, 0]], dtype=bool)},
            ("E719", "row [1] of `right` breaks the promise of padding at the right"),
        ),
        (
            {"right": np.array([[0] * 6, [1] * 6], dtype=bool)},
            ("E719", "row [0] of `right` breaks the promise of padding at the right"),
        ),
        (
            {"left": np.array([[1] * 6, [1] * 5 + [0]], dtype=bool)},
            ("E719", "row [1] of `left` breaks the promise of padding at the left"),
        ),
        (
            {"segments": np.array([[0] * 13, [0] * 5 + [2, 1] + [3] * 6], dtype=np.int32)},
            ("E720", "`segments` falls at [1, 6]"),
        ),
    ],
)
def test_each_mistake(given: dict[str, Any], expected: tuple[str, str]) -> None:
    assert refusal(**given) == [expected]


def test_promised_padding_is_taken() -> None:
    right = np.array([[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]], dtype=bool)
    prepare(INTERFACE, {"ids": IDS, "right": right, "left": right[:, ::-1]}, "float32")


def test_all_mistakes_come_in_one_run() -> None:
    with pytest.raises(SpecError) as raised:
        prepare(INTERFACE, {"idz": IDS, "right": IDS, "pixels": np.zeros((2, 3, 40, 2))}, "float32")
    assert [found.code for found in raised.value.diagnostics] == ["E711", "E712", "E713", "E717"]
    assert raised.value.diagnostics[0].help == "did you mean `ids`?"


@pytest.mark.parametrize("seed", range(8))
def test_samples_keep_every_promise(seed: int) -> None:
    sizes = {"batch": 5, "tokens": 7, "height": 48}
    arrays = sample(INTERFACE, sizes, seed)
    prepared = prepare(INTERFACE, arrays, "float32")
    for name, array in arrays.items():
        np.testing.assert_array_equal(prepared[name], array)
    assert len(np.unique(arrays["ids"])) > 5
    assert 0 < arrays["right"].mean() < 1
