"""Numbers that half precision cannot hold are refused by name when they are cast, not found as infinities later."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archspec.diagnostics import SpecError
from archspec.engines.module import load_module
from archspec.engines.program import Program
from tests.engines.models import encoder


def with_weight(folder: Path, value: float) -> Program:
    program = encoder(folder)
    state = load_file(folder / program.weights)
    state["layers.1.q.weight"][2, 3] = value
    save_file(state, folder / program.weights)
    return program.inside(folder)


@pytest.mark.parametrize("value", [70_000.0, -1e30, 65_520.0])
def test_a_weight_that_overflows_float16_is_refused_by_name(tmp_path: Path, value: float) -> None:
    program = with_weight(tmp_path, value)
    with pytest.raises(SpecError) as error:
        load_module(program, "float16")
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == (
        "E527",
        f"`layers.1.q.weight` contains {value:g} at [2, 3], which overflows float16",
    )
    assert found.notes == ("1 of 256 values are beyond 65504",)
    assert load_module(program, "float32").layers[1].q.weight[2, 3] == value


@pytest.mark.parametrize("value", [65_504.0, -65_519.0])
def test_what_rounds_to_the_largest_number_is_taken(tmp_path: Path, value: float) -> None:
    module = load_module(with_weight(tmp_path, value), "float16")
    assert module.layers[1].q.weight[2, 3].abs() == 65_504
    assert module.layers[1].q.weight.dtype == torch.float16


def test_bfloat16_holds_what_float32_does_almost(tmp_path: Path) -> None:
    assert load_module(with_weight(tmp_path / "a", 1e38), "bfloat16").layers[1].q.weight.isfinite().all()
    with pytest.raises(SpecError, match="overflows bfloat16"):
        load_module(with_weight(tmp_path / "b", 3.4e38), "bfloat16")
