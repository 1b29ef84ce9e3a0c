"""Scales of activations, measured on what a module computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archspec.diagnostics import SpecError
from archspec.ops.elementwise.rounded import Grid
from archspec.quantising.activations import grids_of, read_grids
from archspec.quantising.calibrating import Calibration, least_squares, rounded, rounding_alone
from archspec.spec import load


class RoundedInt8(nn.Module):
    """As in an emitted file: a layer is known by the name of its class."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Buffer(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return (x / self.scale).round().clamp(-128, 127) * self.scale


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.unused = RoundedInt8(), RoundedInt8(), RoundedInt8()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(2.0 * self.first(x))


def calibrated(*rows: Tensor) -> dict[str, Tensor]:
    model = Model()
    del model.unused
    calibration = Calibration(model, len(rows))
    with calibration.watched():
        for row in rows:
            model(row)
    return calibration.scales()


@pytest.mark.parametrize("grid", ["int8", "fp8"])
def test_the_scale_has_less_error_than_its_neighbours_and_than_the_full_range(grid: Grid) -> None:
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    values[0] = 40.0

    def error(scale: float) -> float:
        return float((values - rounded(values, torch.tensor(scale), grid)).square().mean())

    full = 40.0 / {"int8": 127, "fp8": 448}[grid]
    found = float(least_squares(values, grid))
    assert error(found) <= min(error(full), error(0.9 * full), error(0.7 * full))


def test_constants_zeros_and_tiny_values_have_a_usable_scale() -> None:
    assert float(least_squares(torch.full((9,), 3.0), "int8")) == pytest.approx(3.0 / 127, rel=0.02)
    assert float(least_squares(torch.zeros(9), "int8")) == 1.0
    assert float(least_squares(torch.full((9,), 1e-42), "int8")) == 1.0


def test_what_lies_behind_a_layer_is_measured_on_values_that_are_not_rounded() -> None:
    # At its first scale, 1, the first layer would round these to nothing.
    found = calibrated(torch.tensor([0.25, -0.1]), torch.tensor([0.1, 0.3]))
    assert float(found["first"]) == pytest.approx(0.3 / 127, rel=0.05)
    assert float(found["second"]) == pytest.approx(0.6 / 127, rel=0.05)


def test_a_layer_that_no_input_reaches_and_a_value_that_is_not_finite_are_refused() -> None:
    for rows, text in (((), "reach"), ((torch.tensor([1.0, torch.nan]),), "not finite")):
        with pytest.raises(SpecError) as raised:
            calibrated(*rows)
        (found,) = raised.value.diagnostics
        assert found.code == "E633"
        assert text in found.message


def test_only_chosen_layers_round() -> None:
    model = Model()
    with rounding_alone(model, ["second"]):
        assert model(torch.tensor([0.4])).item() == 1.0
    assert model(torch.tensor([0.4])).item() == 0.0


@pytest.mark.parametrize(
    ("grids", "keep", "code"),
    [
        (["int4"], [], "E630"),
        (["states.layers.*.attentoin=int8"], [], "E631"),
        (["states.final_norm=int8"], [], "E631"),
        (["source=int8"], [], "E631"),
        (["states=int8"], ["states.layers"], "E631"),
        (["logits=int8"], ["logits"], "E637"),
        (["int8", "fp8"], [], "E637"),
    ],
    ids=str,
)
def test_what_cannot_be_rounded_is_refused(grids: list[str], keep: list[str], code: str) -> None:
    with pytest.raises(SpecError) as raised:
        grids_of(load("gpt2", reduced=True).graph, read_grids(grids, keep))
    assert [one.code for one in raised.value.diagnostics] == [code]
