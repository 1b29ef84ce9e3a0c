"""Optimisation profiles are read against the dims, and every mistake in them is told."""

from __future__ import annotations

import pytest

from archspec.algebra.dim import Dim
from archspec.algebra.symbol import Symbol
from archspec.diagnostics import SpecError
from archspec.engines.profiles import declared, read_profiles, shapes
from archspec.ir.types import DType, TensorType
from archspec.model.ports import Port

BATCH, HEIGHT = Symbol("batch", 1, 2, 32, 1), Symbol("height", 16, 224, 384, 16)
SYMBOLS = (BATCH, HEIGHT)


def mistakes(*texts: str) -> list[str]:
    with pytest.raises(SpecError) as raised:
        read_profiles(texts, SYMBOLS)
    assert {found.code for found in raised.value.diagnostics} == {"E625"}
    return [found.message for found in raised.value.diagnostics]


def test_a_dim_that_is_left_out_has_its_declared_range() -> None:
    assert read_profiles((), SYMBOLS) == (declared(SYMBOLS),)
    assert read_profiles(("batch=1", "height = 16:32:64, batch=2:4:8"), SYMBOLS) == (
        {"batch": (1, 1, 1), "height": (16, 224, 384)},
        {"batch": (2, 4, 8), "height": (16, 32, 64)},
    )


def test_every_mistake_comes_in_one_run() -> None:
    assert mistakes(
        "bath=1", "batch=0:1:2", "batch=1:8:64", "height=20", "batch=4:2:8,height=big", "batch=1,batch=2"
    ) == [
        "the profile `bath=1` names `bath`, which is not a dim",
        "the profile `batch=0:1:2` is outside the sizes of `batch`: 1 to 32",
        "the profile `batch=1:8:64` is outside the sizes of `batch`: 1 to 32",
        "the profile `height=20` is outside the sizes of `height`: multiples of 16",
        "the sizes of `batch` in the profile `batch=4:2:8,height=big` are not in ascending order",
        "the profile `batch=4:2:8,height=big` has no sizes for `height`",
        "the profile `batch=1,batch=2` gives `batch` twice",
    ]


def test_a_profile_that_stands_twice_is_refused() -> None:
    assert mistakes("batch=1", "batch=1:1:1") == ["duplicate profile `batch=1:1:1`"]


def test_an_unknown_dim_gets_the_nearest() -> None:
    with pytest.raises(SpecError) as raised:
        read_profiles(("bath=1",), SYMBOLS)
    assert raised.value.diagnostics[0].help == "did you mean `batch`?"


def test_shapes_at_each_point() -> None:
    type_ = TensorType.of(DType.FLOAT, Dim.of(BATCH), 3, Dim.of(HEIGHT) // 16)
    (profile,) = read_profiles(("batch=1:2:4,height=32:64:96",), SYMBOLS)
    assert shapes([Port(name="x", type=type_)], profile) == {"x": ((1, 3, 2), (2, 3, 4), (4, 3, 6))}
