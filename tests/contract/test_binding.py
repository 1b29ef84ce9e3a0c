"""A stranger's inputs are bound by name or by position, never some by name and others by place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archspec.contract.binding import bound
from archspec.diagnostics import SpecError


def two(ids: Any, mask: Any) -> None: ...
def swapped(mask: Any, ids: Any) -> None: ...
def optional(ids: Any, mask: Any = None, cache: Any = None) -> None: ...
def hugging_face(input_ids: Any = None, attention_mask: Any = None, **options: Any) -> None: ...
def places(first: Any, second: Any, /) -> None: ...
def many(*values: Any) -> None: ...
def named(**values: Any) -> None: ...
def needy(ids: Any, mask: Any, types: Any) -> None: ...
def keyword(ids: Any, *, mask: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "inputs", "arguments", "expected"),
    [
        (two, ["ids", "mask"], None, {"ids": "ids", "mask": "mask"}),
        (swapped, ["ids", "mask"], None, {"ids": "ids", "mask": "mask"}),
        (two, ["x", "valid"], None, None),
        (optional, ["ids", "mask"], None, {"ids": "ids", "mask": "mask"}),
        (optional, ["x"], None, None),
        (keyword, ["mask", "ids"], None, {"mask": "mask", "ids": "ids"}),
        (places, ["first", "second"], None, None),
        (many, ["a", "b", "c"], None, None),
        (named, ["a", "b"], None, {"a": "a", "b": "b"}),
        (two, ["ids", "valid"], {"valid": "mask"}, {"ids": "ids", "valid": "mask"}),
        (hugging_face, ["input_ids", "valid"], {"valid": "use_mask"}, {"input_ids": "input_ids", "valid": "use_mask"}),
        (min, ["a", "b"], None, None),
    ],
)
def test_where_inputs_go(
    function: Callable[..., Any],
    inputs: list[str],
    arguments: dict[str, str] | None,
    expected: dict[str, str] | None,
) -> None:
    assert bound(function, inputs, arguments) == expected


@pytest.mark.parametrize(
    ("function", "inputs", "arguments", "message"),
    [
        (two, ["ids", "valid"], None, "the model has no parameter `valid`"),
        (hugging_face, ["input_ids", "valid"], None, "the model has no parameter `valid`"),
        (two, ["ids", "valid"], {"valid": "musk"}, "the model has no parameter `musk`"),
        (two, ["ids", "mask"], {"valid": "mask"}, "`valid` is bound, but the file does not declare such an input"),
        (two, ["ids", "valid"], {"valid": "ids"}, "two inputs are bound to the parameter `ids`"),
        (needy, ["ids", "mask"], None, "no input is bound to the parameter `types`"),
        (needy, ["ids", "valid"], {"valid": "mask"}, "no input is bound to the parameter `types`"),
        (two, ["x"], None, "the model takes 2 inputs by position, got 1"),
        (two, ["x", "y", "z"], None, "the model takes 2 inputs by position, got 3"),
        (optional, ["x", "y", "z", "w"], None, "the model takes 1 to 3 inputs by position, got 4"),
        (keyword, ["x"], None, "the parameter `mask` takes no input by position"),
    ],
)
def test_what_does_not_fit_is_told_with_the_parameters(
    function: Callable[..., Any], inputs: list[str], arguments: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(SpecError) as raised:
        bound(function, inputs, arguments)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E734", message)
    if "is bound" not in message and "two inputs" not in message:
        assert found.notes[0].startswith("its parameters: ")
