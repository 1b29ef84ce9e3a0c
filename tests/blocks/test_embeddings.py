"""Embeddings, heads and small blocks, against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.blocks.surroundings import Trial, complaints
from tests.options import option


def _same(found: Trial, wanted: Tensor) -> None:
    np.testing.assert_allclose(found.result, wanted.numpy(), rtol=1e-9, atol=1e-9)


def _tensor(found: Trial, name: str) -> Tensor:
    return torch.tensor(found.inputs[name] if name in found.inputs else found[name])


def _tokens(more: str) -> Trial:
    node = f"{{block: token_embedding, ids: ids, vocab: vocab, dim: 8, {more}}}"
    return Trial(node, "float[batch, n, 8]")


@option("token_embedding.ids", "token_embedding.vocab", "token_embedding.dim", "token_embedding.scale")
@option("token_embedding.types", "types.ids", "types.count", "token_embedding.positions")
@option("token_embedding.norm", "positions.kind=learned", "positions.length", "positions.ids=none")
@option("positions.count=none", "positions.resize=none")
def test_tokens_are_scaled_then_types_and_positions_added_then_normed() -> None:
    more = "scale: sqrt(8), types: {ids: sorts, count: 2}, positions: {kind: learned, length: 32}, norm: layer_norm"
    found = _tokens(more)
    x = math.sqrt(8) * _tensor(found, "table")[_tensor(found, "ids")]
    x = x + _tensor(found, "types")[_tensor(found, "sorts")] + _tensor(found, "positions")[:5]
    _same(found, F.layer_norm(x, (8,), _tensor(found, "norm.weight"), _tensor(found, "norm.bias")))


@option("positions.offset", "positions.ids")
def test_positions_after_an_offset_and_by_their_own_ids() -> None:
    found = _tokens("positions: {kind: learned, length: 32, offset: 2}")
    _same(found, _tensor(found, "table")[_tensor(found, "ids")] + _tensor(found, "positions")[2:7])
    found = _tokens("positions: {kind: learned, length: 32, ids: places}")
    _same(found, _tensor(found, "table")[_tensor(found, "ids")] + _tensor(found, "positions")[_tensor(found, "places")])


@option(
    "positions.layout={layout}",
    "positions.base",
    "positions.kind=sinusoidal",
    "positions.base@sinusoidal",
    "positions.endpoint=false",
)
@option("token_embedding.types=none")
@pytest.mark.parametrize("layout", ["interleaved", "halves"])
def test_sinusoids(layout: str) -> None:
    found = _tokens(f"positions: {{kind: sinusoidal, layout: {layout}, base: 100}}")
    rows = np.zeros((5, 8))
    for position in range(5):
        for i in range(4):
            angle = position * 100 ** (-2 * i / 8)
            sine, cosine = (2 * i, 2 * i + 1) if layout == "interleaved" else (i, i + 4)
            rows[position, sine], rows[position, cosine] = math.sin(angle), math.cos(angle)
    np.testing.assert_allclose(found.result, found["table"][found.inputs["ids"]] + rows, rtol=1e-6, atol=1e-6)


@option("add_positions.input", "positions.kind=learned", "positions.length")
def test_positions_may_be_added_anywhere() -> None:
    found = Trial("{block: add_positions, input: x, kind: learned, length: 40}", "float[batch, n, d]")
    _same(found, _tensor(found, "x") + _tensor(found, "positions")[:5])


def _patches(found: Trial) -> Tensor:
    y = F.conv2d(_tensor(found, "pixels"), _tensor(found, "weight"), _tensor(found, "bias"), stride=16)
    return y.flatten(2).transpose(1, 2)


def _patch_trial(more: str, count: int) -> Trial:
    return Trial(f"{{block: patch_embedding, input: pixels, patch: 16, dim: 8, {more}}}", f"float[batch, {count}, 8]")


@option("patch_embedding.class_token=true", "patch_embedding.distillation_token=true")
@option("patch_embedding.registers", "patch_embedding.positions")
def test_class_tokens_stand_in_front_and_registers_get_no_position() -> None:
    found = _patch_trial("class_token: true, distillation_token: true, registers: 3, positions: learned", 11)
    front = [_tensor(found, name).expand(2, -1, -1) for name in ("class_token", "distillation_token")]
    x = torch.cat([*front, _patches(found)], 1) + _tensor(found, "positions")
    registers = _tensor(found, "registers").expand(2, -1, -1)
    _same(found, torch.cat([x[:, :2], registers, x[:, 2:]], 1))


@option("patch_embedding.stride")
@pytest.mark.parametrize(
    ("fields", "stride", "count"), [("16, stride: 8", 8, 15), ("16, stride: [5, 16]", (5, 16), 12)]
)
def test_patches_overlap(fields: str, stride: int | tuple[int, int], count: int) -> None:
    found = Trial(f"{{block: patch_embedding, input: pixels, patch: {fields}, dim: 8}}", f"float[batch, {count}, 8]")
    x = torch.tensor(found.inputs["pixels"])
    weight, bias = _tensor(found, "weight"), _tensor(found, "bias")
    columns = F.unfold(x, 16, stride=stride).mT
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(torch.tensor(found.result), columns @ weight.flatten(1).T + bias, **close)


@pytest.mark.parametrize(
    ("fields", "code"),
    [("16, stride: 20", "E244"), ("16, stride: [16, 17]", "E244"), ("33, stride: 8", "E349"), ("9, stride: 9", "E349")],
)
def test_strides_that_do_not_fit_are_refused(fields: str, code: str) -> None:
    node = f"{{block: patch_embedding, input: pixels, patch: {fields}, dim: 8}}"
    assert {found for found, _, _ in complaints(node)} == {code}


@option("patch_embedding.registers", "patch_embedding.class_token=false")
@option("patch_embedding.distillation_token=false")
def test_registers_without_class_tokens_stand_first() -> None:
    found = _patch_trial("registers: 2, positions: learned", 8)
    x = _patches(found) + _tensor(found, "positions")
    _same(found, torch.cat([_tensor(found, "registers").expand(2, -1, -1), x], 1))


@option("patch_embedding.mask_token")
def test_masked_patches_become_the_mask_token_before_positions() -> None:
    found = _patch_trial("mask_token: masked, positions: learned, class_token: true", 7)
    x = torch.where(_tensor(found, "masked")[..., None], _tensor(found, "mask_token"), _patches(found))
    x = torch.cat([_tensor(found, "class_token").expand(2, -1, -1), x], 1)
    _same(found, x + _tensor(found, "positions"))


@option("positions.kind=grid_sincos", "patch_embedding.class_token=true")
@pytest.mark.parametrize(
    ("positions", "base"),
    [
        ("grid_sincos", 10000),
        pytest.param("{kind: grid_sincos, base: 50}", 50, marks=option("positions.base@grid_sincos")),
    ],
)
def test_grid_positions_leave_the_class_token_alone(positions: str, base: int) -> None:
    found = _patch_trial(f"positions: {positions}, class_token: true", 7)
    grid = np.zeros((6, 8))
    for patch in range(6):
        row, column = divmod(patch, 3)
        for i in range(2):
            frequency = base ** (-i / 2)
            grid[patch, [i, i + 2, i + 4, i + 6]] = [
                math.sin(column * frequency),
                math.cos(column * frequency),
                math.sin(row * frequency),
                math.cos(row * frequency),
            ]
    wanted = torch.cat([_tensor(found, "class_token").expand(2, -1, -1), _patches(found) + torch.tensor(grid)], 1)
    np.testing.assert_allclose(found.result, wanted.numpy(), rtol=1e-6, atol=1e-6)


def _counted(valid: np.ndarray, base: float) -> np.ndarray:
    """The positions of 2 by 3 places, 8 features each: how many of a column and of a row are valid, by loops."""
    made = np.zeros((len(valid), 6, 8))
    for image, keep in enumerate(valid.reshape(-1, 2, 3)):
        for patch in range(6):
            row, column = divmod(patch, 3)
            lines = ((keep[:, column], row), (keep[row], column))
            for half, (line, place) in enumerate(lines):
                angle = 2 * math.pi * sum(line[: place + 1]) / (sum(line) + 1e-6)
                for i in range(2):
                    frequency = base ** (-i / 2)
                    made[image, patch, 4 * half + 2 * i] = math.sin(angle * frequency)
                    made[image, patch, 4 * half + 2 * i + 1] = math.cos(angle * frequency)
    return made


@option("positions.kind=grid_sinusoidal", "positions.count@grid_sinusoidal")
@pytest.mark.parametrize(
    ("more", "base"),
    [
        ("", 10000),
        pytest.param(", base: 50", 50, marks=option("positions.base@grid_sinusoidal")),
        pytest.param(", grid: [2, 3]", 10000, marks=option("positions.grid@grid_sinusoidal")),
    ],
)
def test_positions_in_a_grid_count_what_is_valid(more: str, base: float) -> None:
    found = _patch_trial(f"positions: {{kind: grid_sinusoidal, count: masked{more}}}, class_token: true", 7)
    grid = _patches(found) + torch.tensor(_counted(found.inputs["masked"], base))
    wanted = torch.cat([_tensor(found, "class_token").expand(2, -1, -1), grid], 1)
    np.testing.assert_allclose(found.result, wanted.numpy(), rtol=1e-6, atol=1e-6)


@option("add_positions.input", "positions.kind=grid_sinusoidal")
@pytest.mark.parametrize("grid", ["", "grid: [2, 3], "])
def test_positions_in_a_grid_may_be_added_to_a_flattened_map(grid: str) -> None:
    node = f"""
- {{block: conv, input: pixels, channels: 8, kernel: 16, stride: 16, bias: false}}
- {{block: rearrange, pattern: b c h w -> b (h w) c}}
- {{block: add_positions, kind: grid_sinusoidal, {grid}count: masked}}
"""
    found = Trial(node, "float[batch, 6, 8]")
    x = F.conv2d(_tensor(found, "pixels"), _tensor(found, "0.weight"), stride=16).flatten(2).mT
    np.testing.assert_allclose(found.result, x.numpy() + _counted(found.inputs["masked"], 10000), atol=1e-9)


@option("lm_head.bias=true", "lm_head.scale", "lm_head.softcap", "lm_head.tie=none", "lm_head.vocab")
@option("lm_head.input")
def test_a_head_scales_before_its_bias_and_caps_after() -> None:
    node = "{block: lm_head, input: x, vocab: 7, bias: true, scale: 1/8, softcap: 5}"
    found = Trial(node, "float[batch, n, 7]")
    logits = _tensor(found, "x") @ _tensor(found, "weight").T / 8 + _tensor(found, "bias")
    _same(found, 5 * torch.tanh(logits / 5))


@option("linear.input", "linear.dim", "linear.activation=gelu", "linear.tie=none")
def test_linear_with_an_activation() -> None:
    found = Trial("{block: linear, input: x, dim: 10, activation: gelu}", "float[batch, n, 10]")
    _same(found, F.gelu(F.linear(_tensor(found, "x"), _tensor(found, "weight"), _tensor(found, "bias"))))


@option("norm.axis", "norm.input", "norm.eps", "norm.kind=layer_norm", "norm.weight=true", "norm.bias=true")
@option("norm.unit_offset=false")
def test_a_norm_over_another_axis() -> None:
    found = Trial("{block: norm, input: pixels, kind: layer_norm, axis: 1, eps: 1e-3}", "float[batch, 3, 32, 48]")
    x = _tensor(found, "pixels").movedim(1, -1)
    y = F.layer_norm(x, (3,), _tensor(found, "weight"), _tensor(found, "bias"), 1e-3)
    _same(found, y.movedim(-1, 1))


def _pooled(kind: str, x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    rows = []
    for row, keep in zip(x, valid, strict=True):
        chosen = row[keep]
        if not len(chosen):
            rows.append(np.zeros(x.shape[-1]))
        else:
            rows.append({"mean": chosen.mean(0), "max": chosen.max(0), "last": chosen[-1]}[kind])
    return np.stack(rows)


@option("pool.kind={kind}", "pool.valid@{kind}", "pool.valid", "pool.input")
@pytest.mark.parametrize("kind", ["mean", "max", "last"])
@pytest.mark.parametrize("valid", [[[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], [[0, 1, 0, 1, 0], [0, 0, 0, 0, 0]]])
def test_pooling_of_valid_positions(kind: str, valid: list[list[int]]) -> None:
    keep = np.array(valid, bool)
    node = f"{{block: pool, input: x, kind: {kind}, valid: valid}}"
    found = Trial(node, "float[batch, d]", inputs={"valid": keep})
    np.testing.assert_allclose(found.result, _pooled(kind, found.inputs["x"], keep), rtol=1e-9)


@option("pool.valid=none", "pool.kind=first", "pool.kind=last", "pool.kind=mean", "pool.kind=max")
@option("pool.kind=at", "pool.index")
def test_pooling_of_all_positions() -> None:
    for kind, pick in {
        "first": lambda x: x[:, 0],
        "last": lambda x: x[:, -1],
        "mean": lambda x: x.mean(1),
        "max": lambda x: x.max(1),
    }.items():
        found = Trial(f"{{block: pool, input: x, kind: {kind}}}", "float[batch, d]")
        np.testing.assert_allclose(found.result, pick(found.inputs["x"]), rtol=1e-9)
    found = Trial("{block: pool, input: x, kind: at, index: spot}", "float[batch, d]")
    np.testing.assert_allclose(found.result, found.inputs["x"][[0, 1], found.inputs["spot"]], rtol=1e-9)
    found = Trial("{block: pool, input: pixels, kind: max}", "float[batch, 3]")
    np.testing.assert_allclose(found.result, found.inputs["pixels"].max((2, 3)), rtol=1e-9)


@option("l2_normalize.input", "l2_normalize.axis", "activation.input")
def test_small_blocks() -> None:
    found = Trial("{block: l2_normalize, input: x}", "float[batch, n, d]")
    _same(found, F.normalize(_tensor(found, "x"), dim=-1))
    found = Trial("{block: l2_normalize, input: pixels, axis: 1}", "float[batch, 3, 32, 48]")
    _same(found, F.normalize(_tensor(found, "pixels"), dim=1))
    found = Trial("{block: activation, input: x, kind: relu_squared}", "float[batch, n, d]")
    _same(found, F.relu(_tensor(found, "x")) ** 2)
    found = Trial("{block: dropout, input: x, rate: 0.5}", "float[batch, n, d]")
    _same(found, _tensor(found, "x"))


@option("l2_normalize.eps", "l2_normalize.axis")
def test_a_length_below_eps_is_not_divided_by() -> None:
    found = Trial("{block: l2_normalize, input: x, axis: -1, eps: 8}", "float[batch, n, d]")
    x = _tensor(found, "x")
    assert (x.norm(dim=-1) < 8).any() and (x.norm(dim=-1) > 8).any()
    _same(found, F.normalize(x, dim=-1, eps=8))


@option("token_embedding.norm=none", "token_embedding.positions=none")
def test_a_table_alone() -> None:
    found = _tokens("positions: none, norm: none")
    _same(found, _tensor(found, "table")[_tensor(found, "ids")])


@pytest.mark.parametrize(
    "node",
    [
        pytest.param("lm_head, tie: source.table", marks=option("lm_head.tie", "lm_head.softcap=none")),
        pytest.param(
            "linear, dim: vocab, tie: source.table, bias: false", marks=option("linear.tie", "linear.bias=false")
        ),
    ],
)
def test_a_weight_that_an_embedding_owns(node: str) -> None:
    found = Trial(f"{{input: x, block: {node}}}", "float[batch, n, vocab]")
    _same(found, _tensor(found, "x") @ torch.tensor(found.parameters["source.table"]).T)
    assert list(found.parameters) == ["source.table"]


@option("positions.resize=bilinear", "positions.grid")
def test_a_grid_resized_by_torchs_bilinear() -> None:
    node = """
block: patch_embedding
input: large
patch: 16
dim: 8
class_token: true
positions: {kind: learned, grid: [3, 5], resize: bilinear}
"""
    found = Trial(node, "float[batch, side//16 * (side//16) + 1, 8]")
    table = _tensor(found, "positions")
    grid = table[1:].T.reshape(1, 8, 3, 5)
    resized = F.interpolate(grid, (2, 2), mode="bilinear", align_corners=False).flatten(2)[0].T
    patches = F.conv2d(_tensor(found, "large"), _tensor(found, "weight"), _tensor(found, "bias"), stride=16)
    rows = [(_tensor(found, "class_token") + table[0]).expand(2, -1, -1), patches.flatten(2).mT + resized]
    np.testing.assert_allclose(found.result, torch.cat(rows, 1).numpy(), rtol=1e-5, atol=1e-6)
