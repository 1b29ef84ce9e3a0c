"""Conditions on sizes that the tracer cannot solve are computed; those that fail become a diagnostic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from archspec.diagnostics import SpecError
from archspec.engines.tracing import traced


class Merged(nn.Module):
    """Two of three axes merged, of which the last two have the same size."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x).flatten(1, 2)


class Branched(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2) if x.shape[2] > 4 else x.sum(2)


class Fixed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.ones(9, 9)


class Hidden(nn.Module):
    """What the tracer cannot solve, and is false for the sizes 5 and 7 alone."""

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2]
        return x * 2 if torch.sym_min(size + 1, (size - 6) * (size - 6)) != 1 else x


class Conditional(nn.Module):
    """Doubled if a condition on the sizes of two axes holds."""

    def __init__(self, holds: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.holds = holds

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if self.holds(x.shape[0], x.shape[2]) else x


def trace(module: nn.Module, *, partial: bool = False, most: int = 12) -> Any:
    batch, length = Dim("batch", min=1, max=4), Dim("length", min=1, max=most)
    shapes = {"x": {0: batch, 2: length, 3: length}}
    return traced(module, {"x": torch.zeros(2, 3, 9, 9)}, shapes, partial=partial)


@pytest.mark.parametrize("most", [12, 4096])
def test_a_condition_that_holds_for_all_sizes(most: int) -> None:
    exported = trace(Merged(), most=most)
    for batch, length in ((1, 1), (4, 12), (3, 2)):
        x = torch.randn(batch, 3, length, length)
        torch.testing.assert_close(exported.module()(x=x), torch.relu(x).reshape(batch, 3 * length, length))


def test_inputs_in_their_order() -> None:
    x = torch.randn(2, 3, 5, 5)
    length = Dim("length", min=1, max=12)
    exported = traced(Merged(), (torch.zeros(2, 3, 9, 9),), ({2: length, 3: length},))
    torch.testing.assert_close(exported.module()(x), torch.relu(x).flatten(1, 2))


@pytest.mark.parametrize(
    ("module", "partial"),
    [(Branched(), False), (Fixed(), False), (Fixed(), True), (Hidden(), False), (Hidden(), True)],
)
def test_a_condition_that_fails_for_some(module: nn.Module, partial: bool) -> None:
    with pytest.raises(SpecError) as raised:
        trace(module, partial=partial)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E608", "the network cannot be exported for all sizes of its dims")
    assert any("length" in note for note in found.notes)
    if isinstance(module, Hidden):
        condition = "min(1 + length, ((-6) + length)*((-6) + length)) != 1"
        assert [note for note in found.notes if "false" in note] == [f"`{condition}` is false for length = 5"]


class Pooled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        halved = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))
        return torch.nn.functional.interpolate(halved, scale_factor=2, mode="bilinear").flatten(2)


def refused(module: nn.Module, size: Any, example: int) -> str:
    """The last note of what is said of a module with axes of a size."""
    shapes = {"x": {0: Dim("batch", min=1, max=8), 2: size, 3: size}}
    with pytest.raises(SpecError) as raised:
        traced(module, {"x": torch.zeros(2, 3, example, example)}, shapes)
    return raised.value.diagnostics[0].notes[-1]


@pytest.mark.parametrize(
    ("holds", "sizes"),
    [
        (lambda batch, length: batch != length, "batch = 2, length = 2"),
        (lambda batch, length: batch * length != 35, "batch = 5, length = 7"),
        # The tracer refuses the first and then asserts both.
        (
            lambda batch, n: torch.sym_min(n, n * n) == n and (n - 6) * (n - 6) + (batch - 3) * (batch - 3) != 0,
            "batch = 3, length = 6",
        ),
    ],
)
def test_a_condition_on_two_dims(holds: Callable[[Any, Any], Any], sizes: str) -> None:
    assert refused(Conditional(holds), Dim("length", min=1, max=12), 9).endswith(f" is false for {sizes}")


@pytest.mark.parametrize(("offset", "wrong"), [(0, 2), (2, 2), (0, 4), (2, 7)])
def test_a_condition_on_a_derived_axis(offset: int, wrong: int) -> None:
    length = Dim("length", min=1, max=12)
    size = 2 * length + offset if offset else 2 * length
    module = Conditional(lambda _, axis: axis != 2 * wrong + offset)
    assert refused(module, size, 6 + offset).endswith(f" is false for length = {wrong}")


def test_what_is_specialised_for_a_size_of_one_is_no_condition() -> None:
    """Where an axis is one entry, the tracer takes it for one that is broadcast; both give the same."""
    length = Dim("length", min=1, max=12)
    size = {"x": {0: Dim("batch", min=1, max=8), 2: 2 * length, 3: 2 * length}}
    pooled = traced(Pooled(), {"x": torch.zeros(2, 3, 6, 6)}, size)
    for length in (1, 2, 5):
        x = torch.randn(2, 3, 2 * length, 2 * length)
        torch.testing.assert_close(pooled.module(check_guards=False)(x=x), Pooled()(x))


@pytest.mark.parametrize("wrong", [7, 1 << 19, 1_000_000])
def test_a_long_dim(wrong: int) -> None:
    """Its smallest sizes, powers of two and ends are computed."""
    # Not the square alone, which the tracer solves.
    module = Conditional(lambda _, n: torch.sym_min(n + 1, (n - wrong) * (n - wrong)) != 0)
    assert refused(module, Dim("length", min=1, max=1_000_000), 9).endswith(f" is false for length = {wrong}")


def test_inputs_by_name_in_another_order() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x.sum() + y * 2 if y.shape[0] * x.shape[0] != 15 else y

    inputs = {"y": torch.zeros(2, 2), "x": torch.zeros(4)}
    shapes = {"y": {0: Dim("rows", min=1, max=3)}, "x": {0: Dim("columns", min=1, max=5)}}
    with pytest.raises(SpecError) as raised:
        traced(Two(), inputs, shapes)
    assert raised.value.diagnostics[0].notes[-1].endswith(" is false for columns = 5, rows = 3")


def test_an_error_of_the_module_is_its_own() -> None:
    with pytest.raises(RuntimeError, match="broadcast"):
        trace(Conditional(lambda *_: torch.ones(2) + torch.ones(3)))
