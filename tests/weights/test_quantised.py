"""Checkpoints in fp8, against the arithmetic of their formats written out, block by block."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from archspec import weights
from archspec.diagnostics import SpecError
from archspec.spec import Spec
from archspec.weights.quantised import Dequantised
from tests.parity.options import draft
from tests.weights.tables import codes, only

SPEC = """
archspec: 1
name: small
dims: {batch: [1, 2, 4]}
inputs: {x: "float[batch, 200]"}
graph:
  y: {block: linear, input: x, dim: 300, bias: true}
outputs: {y: "float[batch, 300]"}
weights:
  theirs: {prefix: [model., ""], map: {y: proj}}
"""


def spec() -> Spec:
    return draft(SPEC)


def blockwise(tensor: Tensor, scales: Tensor) -> Tensor:
    """The formula of DeepSeek-V3, one block after the other."""
    result = torch.zeros(tensor.shape)
    for row in range(tensor.shape[0]):
        for column in range(tensor.shape[1]):
            result[row, column] = float(tensor[row, column]) * float(scales[row // 128, column // 128])
    return result


def fp8(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float8_e4m3fn) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def test_blocks_of_128_with_a_rest(tmp_path: Path) -> None:
    scales = torch.rand(3, 2, generator=torch.Generator().manual_seed(1)) + 0.5
    state = {
        "model.proj.weight": fp8(300, 200),
        "model.proj.weight_scale_inv": scales,
        "model.proj.bias": torch.ones(300),
    }
    save_file(state, tmp_path / "model.safetensors")
    for source in (state, tmp_path):
        found = weights.load(spec(), source)
        assert found["y.weight"].dtype == torch.float32
        torch.testing.assert_close(found["y.weight"], blockwise(state["model.proj.weight"], scales), atol=0, rtol=0)
        assert torch.equal(found["y.bias"], torch.ones(300))


@pytest.mark.parametrize("name", ["weight_scale", "weight_scale_inv"])
@pytest.mark.parametrize("shape", [(), (1,), (300, 1)])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_one_scale_or_one_a_row(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    scale = torch.rand(shape, generator=torch.Generator().manual_seed(2)).to(torch.bfloat16) + 0.5
    state = {"proj.weight": fp8(300, 200, dtype=dtype), f"proj.{name}": scale, "proj.bias": torch.zeros(300),
             "proj.input_scale": torch.ones(())}  # fmt: skip
    found = weights.load(spec(), state)["y.weight"]
    rows = scale.float().reshape(-1).expand(300) if scale.numel() == 1 else scale.float()[:, 0]
    for row in (0, 17, 299):
        assert torch.equal(found[row], state["proj.weight"][row].float() * rows[row])


def test_experts_have_blocks_of_their_own() -> None:
    tensor, scales = fp8(2, 130, 140), torch.rand(2, 2, 2) + 0.5
    made = Dequantised({"up": tensor, "up_scale_inv": scales}, {"up": (2, 130, 140), "up_scale_inv": (2, 2, 2)}, ["up"])
    assert list(made) == ["up"]
    for expert in range(2):
        assert torch.equal(made["up"][expert], blockwise(tensor[expert], scales[expert]))


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (300,), (1, 200), (2,)])
def test_scales_of_another_shape_are_refused_by_name(shape: tuple[int, ...]) -> None:
    state = {"proj.weight": fp8(300, 200), "proj.weight_scale_inv": torch.ones(shape), "proj.bias": torch.zeros(300)}
    with pytest.raises(SpecError) as raised:
        weights.load(spec(), state)
    found = only(raised.value)
    assert found.code == "E528"
    assert found.message == f"`proj.weight_scale_inv` {list(shape)} does not fit `proj.weight` [300, 200]"
    assert found.notes == ("expected one scale, a scale per row [300, 1], or a scale per block [3, 2]",)


def test_fp8_without_scales_is_refused_by_name(tmp_path: Path) -> None:
    state = {"proj.weight": fp8(300, 200), "proj.bias": torch.zeros(300)}
    save_file(state, tmp_path / "model.safetensors")
    for source in (state, tmp_path):
        with pytest.raises(SpecError) as raised:
            weights.load(spec(), source)
        assert codes(raised.value) == ["E528"]
        assert "`proj.weight`" in only(raised.value).message


def test_a_value_that_fp8_cannot_hold_is_refused() -> None:
    state = {"proj.weight": fp8(300, 200), "proj.weight_scale": torch.tensor(1.0), "proj.bias": torch.zeros(300)}
    state["proj.weight"].view(torch.uint8)[2, 9] = 0x7F
    with pytest.raises(SpecError) as raised:
        weights.load(spec(), state)
    assert only(raised.value).message == "`proj.weight` [300, 200] contains nan at [2, 9]"


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 260), columns=st.integers(1, 260), seed=st.integers(0, 9))
def test_what_is_quantised_by_blocks_comes_back(rows: int, columns: int, seed: int) -> None:
    """Quantised by the format's own way, largest value of a block to 448, back within half a step of fp8."""
    original = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    padded = torch.zeros(-(-rows // 128) * 128, -(-columns // 128) * 128)
    padded[:rows, :columns] = original
    blocks = padded.reshape(padded.shape[0] // 128, 128, padded.shape[1] // 128, 128)
    scales = blocks.abs().amax((1, 3)) / 448
    stored = (blocks / scales[:, None, :, None]).reshape(padded.shape)[:rows, :columns].to(torch.float8_e4m3fn)
    shapes = {"w": (rows, columns), "w_scale_inv": tuple(scales.shape)}
    found = Dequantised({"w": stored, "w_scale_inv": scales}, shapes, ["w"])["w"]
    wide = scales.repeat_interleave(128, 0).repeat_interleave(128, 1)[:rows, :columns]
    assert bool(((found - original).abs() <= original.abs() * 2**-4 + wide * 2**-10).all())
