"""Each mistake in what a caller gives has its own diagnostic, and all come in one run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from archspec.diagnostics import SpecError
from archspec.model.inputs import prepare
from archspec.model.ports import Interface
from archspec.model.samples import sample
from archspec.model.written import DimRange, InputPort, WrittenInterface

INTERFACE = WrittenInterface(
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
).read()
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
        ({"id": IDS}, ("E711", "unknown input `id`")),
        ({"ids": IDS.astype(np.float32)}, ("E713", "`ids` has dtype float32, expected int64[batch, tokens] < 50")),
        ({"ids": IDS.astype(bool)}, ("E713", "`ids` has dtype bool, expected int64[batch, tokens] < 50")),
        ({"ids": IDS.astype(np.uint64)}, ("E713", "`ids` has dtype uint64, expected int64[batch, tokens] < 50")),
        ({"right": IDS}, ("E713", "`right` has dtype int64, expected bool[batch, tokens]")),
        ({"ids": IDS[0]}, ("E714", "`ids` has 1 axis (6), expected int64[batch, tokens] < 50")),
        ({"right": np.ones((2, 5), dtype=bool)}, ("E715", "axis 1 of `right` has size 5, expected tokens = 6")),
        (
            {"segments": np.zeros((2, 12), dtype=np.int32)},
            ("E715", "axis 1 of `segments` has size 12, expected 2*tokens + 1 = 13"),
        ),
        ({"pixels": np.zeros((2, 4, 32, 2))}, ("E715", "axis 1 of `pixels` has size 4, expected 3")),
        ({"pixels": np.zeros((2, 3, 32, 3))}, ("E715", "axis 3 of `pixels` has size 3, expected height//16 = 2")),
        ({"pixels": np.zeros((2, 3, 80, 5))}, ("E716", "`height` is 80 in `pixels`, expected 16 to 64")),
        ({"pixels": np.zeros((2, 3, 40, 2))}, ("E717", "`height` is 40 in `pixels`, expected a multiple of 16")),
        ({"ids": np.ones((2, 1), dtype=np.int64)}, ("E716", "`tokens` is 1 in `ids`, expected 2 to 32")),
        ({"ids": np.array([[1, 50, 2]])}, ("E718", "`ids[0, 1]` is 50, expected 0 to 49")),
        ({"ids": np.array([[1, 0, -1]])}, ("E718", "`ids[0, 2]` is -1, expected 0 to 49")),
        (
            {"right": np.array([[1] * 6, [1, 0, 1, 0, 0, 0]], dtype=bool)},
            ("E719", "row [1] of `right` is not padded only at the right"),
        ),
        (
            {"right": np.array([[0] * 6, [1] * 6], dtype=bool)},
            ("E719", "row [0] of `right` is not padded only at the right"),
        ),
        (
            {"left": np.array([[1] * 6, [1] * 5 + [0]], dtype=bool)},
            ("E719", "row [1] of `left` is not padded only at the left"),
        ),
        (
            {"segments": np.array([[0] * 13, [0] * 5 + [2, 1] + [3] * 6], dtype=np.int32)},
            ("E720", "`segments` decreases at [1, 6], expected sorted values"),
        ),
    ],
)
def test_each_mistake(given: dict[str, Any], expected: tuple[str, str]) -> None:
    assert refusal(**given) == [expected]


@pytest.mark.parametrize(("value", "dtype", "largest"), [(7e4, "float16", "65504"), (1e39, "float32", "3.40282e+38")])
def test_a_number_that_overflows_the_artifact_is_refused_by_name(value: float, dtype: Any, largest: str) -> None:
    ports = WrittenInterface(
        dims={"batch": DimRange(min=1, typical=2, max=4)},
        inputs={"x": InputPort(type="float[batch, 2]")},
        outputs={"y": "float[batch, 2]"},
    ).read()
    given = {"x": np.array([[0.0, 1.0], [value, 2.0]])}
    with pytest.raises(SpecError) as error:
        prepare(ports, given, dtype)
    (found,) = error.value.diagnostics
    message = f"`x[1, 0]` is {value}, which overflows {dtype}, whose largest is {largest}"
    assert (found.code, found.message) == ("E722", message)
    assert prepare(ports, {"x": given["x"] / value}, dtype)["x"].dtype == dtype


def test_promised_padding_is_taken() -> None:
    right = np.array([[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]], dtype=bool)
    taken = prepare(INTERFACE, {"ids": IDS, "right": right, "left": right[:, ::-1]}, "float32")
    np.testing.assert_array_equal(taken["right"], right)
    np.testing.assert_array_equal(taken["left"], right[:, ::-1])


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


def solving(shape: str, **dims: DimRange) -> Interface:
    """An interface with one required input, and an optional one over its second dim."""
    inputs = {
        "x": InputPort(type=f"float[batch, {shape}]"),
        "valid": InputPort(type=f"bool[batch, {next(iter(dims))}]", default=True),
    }
    return WrittenInterface(dims={"batch": DimRange(min=1, typical=2, max=4), **dims}, inputs=inputs, outputs={}).read()


NO_WHOLE = "no whole `n` gives that size"


def given_shape(*shape: int) -> dict[str, Any]:
    return {"x": np.zeros(shape, np.float32)}


@pytest.mark.parametrize(
    ("shape", "multiple", "given", "size"),
    [
        ("2*n", 1, (14,), 7),
        ("2*n + 3", 1, (17,), 7),
        ("4*n*n + n", 1, (68,), 4),
        ("n//4", 4, (3,), 12),
        ("3*n", 4, (36,), 12),
        ("n, 5*n", 1, (6, 30), 6),
        ("5*n, n", 1, (30, 6), 6),
    ],
)
def test_a_polynomial_in_one_dim_is_solved_and_sizes_what_is_left_out(
    shape: str, multiple: int, given: tuple[int, ...], size: int
) -> None:
    interface = solving(shape, n=DimRange(min=4, typical=8, max=16, multiple=multiple))
    assert prepare(interface, given_shape(2, *given), "float32")["valid"].shape == (2, size)


@pytest.mark.parametrize(
    ("shape", "multiple", "given", "expected"),
    [
        ("2*n", 1, (15,), ("E717", f"axis 1 of `x` has size 15, expected 2*n: {NO_WHOLE}")),
        ("2*n", 1, (40,), ("E716", "`n` is 20 in `x`, expected 4 to 16")),
        ("2*n", 1, (6,), ("E716", "`n` is 3 in `x`, expected 4 to 16")),
        ("3*n", 4, (18,), ("E717", f"axis 1 of `x` has size 18, expected 3*n: {NO_WHOLE}")),
        ("n + 9", 1, (5,), ("E717", f"axis 1 of `x` has size 5, expected n + 9: {NO_WHOLE}")),
        (
            "(n + 1)//3",
            1,
            (9,),
            ("E717", "axis 1 of `x` has size 9, expected (n + 1)//3: no whole `n` gives that size"),
        ),
        ("2*n, 5*n", 1, (12, 31), ("E715", "axis 2 of `x` has size 31, expected 5*n = 30")),
    ],
)
def test_a_size_that_no_whole_dim_gives(
    shape: str, multiple: int, given: tuple[int, ...], expected: tuple[str, str]
) -> None:
    interface = solving(shape, n=DimRange(min=4, typical=8, max=16, multiple=multiple))
    with pytest.raises(SpecError) as raised:
        prepare(interface, given_shape(2, *given), "float32")
    assert [(found.code, found.message) for found in raised.value.diagnostics] == [expected]


def test_the_nearest_sizes_are_named() -> None:
    interface = solving("2*n", n=DimRange(min=4, typical=8, max=16))
    with pytest.raises(SpecError) as raised:
        prepare(interface, given_shape(2, 15), "float32")
    assert raised.value.diagnostics[0].notes == ("`n` = 7 gives 14", "`n` = 8 gives 16")


def test_a_product_of_two_dims_is_solved_where_one_is_known() -> None:
    ranges = DimRange(min=2, typical=4, max=9)
    interface = solving("rows*columns, rows", columns=ranges, rows=ranges)
    assert prepare(interface, given_shape(1, 35, 5), "float32")["valid"].shape == (1, 7)
    with pytest.raises(SpecError, match="no whole `columns` gives that size"):
        prepare(interface, given_shape(1, 36, 5), "float32")


def test_axes_that_tell_little_are_taken_together() -> None:
    """`(n + 1)//2` is 5 at 9 and 10, `(n + 2)//3` is 4 at 10, 11 and 12."""
    interface = solving("(n + 1)//2, (n + 2)//3", n=DimRange(min=4, typical=8, max=16))
    assert prepare(interface, given_shape(1, 5, 4), "float32")["valid"].shape == (1, 10)
    with pytest.raises(SpecError, match="no whole `n` gives that size"):
        prepare(interface, given_shape(1, 5, 5), "float32")


@pytest.mark.parametrize("size", range(1, 40))
@pytest.mark.parametrize(
    "shape", ["3*n - 4", "n*n - 6*n + 9", "(n + 2)//3", "n % 5", "n//2 + n//3", "n*(n//4)", "9 - n//4"]
)
def test_solutions_are_those_of_a_search(shape: str, size: int) -> None:
    """Every size of the range is tried here; of several that fit, the typical one is taken, else the least."""
    interface = solving(shape, n=DimRange(min=3, typical=8, max=16))
    dim = interface.inputs["x"].type.shape[1]
    fitting = [n for n in range(3, 17) if dim.value({"n": n}) == size]
    if not fitting:
        with pytest.raises(SpecError) as raised:
            prepare(interface, given_shape(1, size), "float32")
        assert {found.code for found in raised.value.diagnostics} <= {"E716", "E717"}
        return
    expected = 8 if 8 in fitting else fitting[0]
    assert prepare(interface, given_shape(1, size), "float32")["valid"].shape == (1, expected)


@pytest.mark.parametrize("size", [1, 3, 50_001])
def test_sizes_of_strides_are_solved_in_ranges_too_long_to_search(size: int) -> None:
    """`n // 320 + 1` frames of up to a billion samples: the least such count, since the typical one does not fit."""
    interface = solving("n//320 + 1", n=DimRange(min=1, typical=10**8, max=10**9))
    assert interface.inputs["valid"].type.shape[1].maximum() == 10**9
    with pytest.raises(SpecError, match="expected n"):
        prepare(interface, {**given_shape(1, size), "valid": np.ones((1, 320 * size), dtype=bool)}, "float32")
    fitting = {**given_shape(1, size), "valid": np.ones((1, 320 * size - 1), dtype=bool)}
    assert prepare(interface, fitting, "float32")["valid"].shape == (1, 320 * size - 1)
    assert prepare(interface, given_shape(1, size), "float32")["valid"].shape == (1, max(1, 320 * (size - 1)))


@pytest.mark.parametrize("size", range(1, 60, 3))
@pytest.mark.parametrize("shape", ["n//3 + n % 3", "n*(n % 4) + n//2", "(n//3) % 5 + n//5", "(n + n % 4)//3 - n % 2"])
def test_sizes_with_remainders_are_those_of_a_search(shape: str, size: int) -> None:
    """Counts of one remainder are solved together, as the range is long; all of them are tried here."""
    interface = solving(shape, n=DimRange(min=1, typical=8, max=3000))
    dim = interface.inputs["x"].type.shape[1]
    fitting = [n for n in range(1, 3001) if dim.value({"n": n}) == size]
    if not fitting:
        with pytest.raises(SpecError, match="no whole `n` gives that size"):
            prepare(interface, given_shape(1, size), "float32")
        return
    expected = 8 if 8 in fitting else fitting[0]
    assert prepare(interface, given_shape(1, size), "float32")["valid"].shape == (1, expected)


def test_sizes_with_remainders_are_solved_in_ranges_too_long_to_search() -> None:
    interface = solving("n//320 + n % 16", n=DimRange(min=1, typical=10**8, max=10**9))
    # The least count: 1000 * 320 + 15.
    assert prepare(interface, given_shape(1, 1015), "float32")["valid"].shape == (1, 320_015)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ("E711", "inputs have no names: got a NoneType")),
        ([IDS], ("E711", "inputs have no names: got a list")),
        ({3: IDS}, ("E711", "the name of an input must be text, got 3")),
        ({"ids": [[1, 2], [3]]}, ("E713", "`ids` is a list that is not an array")),
        ({"ids": None}, ("E713", "`ids` is a NoneType that is not an array of numbers")),
        ({"ids": [[2**70]]}, ("E713", "`ids` is a list that is not an array of numbers")),
        ({"ids": np.ma.array(IDS, mask=IDS == 1)}, ("E713", "`ids` is masked at 12 of 12 positions")),
        ({"ids": torch.ones(2, 6)}, ("E713", "`ids` has dtype float32, expected int64[batch, tokens] < 50")),
    ],
)
def test_what_is_not_an_array(given: Any, expected: tuple[str, str]) -> None:
    with pytest.raises(SpecError) as raised:
        prepare(INTERFACE, given, "float32")
    assert [(found.code, found.message) for found in raised.value.diagnostics] == [expected]


def test_tensors_are_read_as_arrays() -> None:
    pixels = torch.full((2, 3, 48, 3), 0.25, dtype=torch.bfloat16, requires_grad=True)
    found = prepare(INTERFACE, {"ids": torch.ones(2, 6, dtype=torch.int64), "pixels": pixels}, "float32")
    assert (found["pixels"] == 0.25).all() and (found["ids"] == 1).all()
