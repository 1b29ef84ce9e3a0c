"""Blocks on maps against torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archspec
from archspec.analyses.cost import cost
from archspec.analyses.parameters import expand
from archspec.oracle.interpreter import interpret
from archspec.spec import Spec
from tests.lower.running import compare, filled
from tests.options import named, option, trying
from tests.spec.example import refusal, spec_of

SIGNAL = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
IMAGE = torch.randn(2, 4, 8, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def spec_with(folder: Path, node: str, output: str, x: torch.Tensor, more: str = "") -> Spec:
    axes = "length" if x.ndim == 3 else "8, 6"
    dims = "dims: {batch: [1, 2, 4], length: [5, 9, 16]}" if x.ndim == 3 else "dims: {batch: [1, 2, 4]}"
    text = f"{dims}\ninputs:\n  x: float[batch, 4, {axes}]\n{more}\ngraph:\n  y: {node}\noutputs:\n  y: {output}\n"
    return spec_of(folder, text)


def run(folder: Path, node: str, output: str, x: torch.Tensor, more: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
    """The result of a node, by the interpreter and by the emitted module, and its parameters."""
    spec = spec_with(folder, node, output, x, more)
    rng = np.random.default_rng(0)
    parameters = {}
    for name, one in expand(spec.graph).items():
        values = rng.normal(0, 0.5, [size.constant for size in one.type.shape])
        values = np.abs(values) + 0.5 if name.endswith("running_var") else values
        parameters[name] = np.array(7) if name.endswith("tracked") else values
    found = interpret(spec.graph, {"x": x.numpy()}, parameters)["y"]
    module = archspec.compile(spec).double().eval()
    module.load_state_dict({name: torch.tensor(array) for name, array in parameters.items()}, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(module(x), torch.tensor(found), rtol=1e-9, atol=1e-9)
    tensors = {name.removeprefix("y."): torch.tensor(array) for name, array in parameters.items()}
    return torch.tensor(found), tensors


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("fields", "options", "length"),
    trying(
        "conv",
        [
            ("kernel: 3", {}, "length - 2"),
            ("kernel: 3, bias: false", {"bias": False}, "length - 2"),
            ("kernel: 3, stride: 2, padding: 1", {"stride": 2, "padding": 1}, "(length - 1) // 2 + 1"),
            ("kernel: 3, padding: same", {"padding": "same"}, "length"),
            ("kernel: 4, padding: same, dilation: 2", {"padding": "same", "dilation": 2}, "length"),
            ("kernel: 2, padding: same", {"padding": "same"}, "length"),
            ("kernel: 3, padding: circular", {"padding": 1, "padding_mode": "circular"}, "length"),
            ("kernel: 5, padding: circular", {"padding": 2, "padding_mode": "circular"}, "length"),
            (
                "kernel: 3, padding: circular, stride: 2",
                {"padding": 1, "padding_mode": "circular", "stride": 2},
                "(length - 1) // 2 + 1",
            ),
            ("kernel: 2, dilation: 3", {"dilation": 3}, "length - 3"),
            ("kernel: 3, groups: 2", {"groups": 2}, "length - 2"),
        ],
    ),
)
def test_conv_of_signals(fields: str, options: dict[str, Any], length: str, tmp_path: Path) -> None:
    node = f"{{block: conv, input: x, channels: 6, {fields}}}"
    found, p = run(tmp_path, node, f"float[batch, 6, {length}]", SIGNAL)
    wanted = nn.Conv1d(4, 6, p["weight"].shape[-1], **options).double()
    wanted.load_state_dict(p, strict=True)
    close(found, wanted(SIGNAL).detach())


@pytest.mark.parametrize(
    ("fields", "options", "space"),
    trying(
        "conv",
        [
            ("kernel: 3, stride: 2, padding: 1", {"stride": 2, "padding": 1}, "4, 3"),
            ("kernel: 3, padding: same, groups: 4", {"padding": "same", "groups": 4}, "8, 6"),
            ("kernel: 2, padding: same", {"padding": "same"}, "8, 6"),
            ("kernel: 3, padding: circular", {"padding": 1, "padding_mode": "circular"}, "8, 6"),
            ("kernel: [3, 2], stride: [2, 1], padding: [1, 0]", {"stride": (2, 1), "padding": (1, 0)}, "4, 5"),
            ("kernel: [2, 3], dilation: [3, 1], groups: 2", {"dilation": (3, 1), "groups": 2}, "5, 4"),
            ("kernel: [2, 5], padding: same, dilation: [1, 2]", {"padding": "same", "dilation": (1, 2)}, "8, 6"),
            ("kernel: [1, 5], padding: circular", {"padding": (0, 2), "padding_mode": "circular"}, "8, 6"),
            (
                "kernel: [3, 5], padding: circular, stride: [2, 3]",
                {"padding": (1, 2), "padding_mode": "circular", "stride": (2, 3)},
                "4, 2",
            ),
            ("kernel: [1, 1], stride: [1, 2], padding: 1", {"stride": (1, 2), "padding": 1}, "10, 4"),
        ],
    ),
)
def test_conv_of_images(fields: str, options: dict[str, Any], space: str, tmp_path: Path) -> None:
    node = f"{{block: conv, input: x, channels: 8, {fields}}}"
    found, p = run(tmp_path, node, f"float[batch, 8, {space}]", IMAGE)
    wanted = nn.Conv2d(4, 8, p["weight"].shape[2:], **options).double()
    wanted.load_state_dict(p, strict=True)
    close(found, wanted(IMAGE).detach())


@pytest.mark.parametrize(
    ("fields", "options", "space"),
    trying(
        "conv_transpose",
        [
            ("kernel: 2, stride: 2, bias: false", {"stride": 2, "bias": False}, "16, 12"),
            ("kernel: 3, stride: 2, padding: 1, output_padding: 1", {"stride": 2, "padding": 1, "more": 1}, "16, 12"),
            ("kernel: [3, 2], stride: [1, 3], padding: [1, 0]", {"stride": (1, 3), "padding": (1, 0)}, "8, 17"),
            ("kernel: 1, output_padding: [0, 1], stride: 2, groups: 2", {"stride": 2, "more": (0, 1)}, "15, 12"),
        ],
    ),
)
@option("conv_transpose.input", "conv_transpose.channels")
def test_conv_transpose_of_images(fields: str, options: dict[str, Any], space: str, tmp_path: Path) -> None:
    node = f"{{block: conv_transpose, input: x, channels: 8, {fields}}}"
    found, p = run(tmp_path, node, f"float[batch, 8, {space}]", IMAGE)
    groups = 2 if "groups" in fields else 1
    more = {"output_padding": options.pop("more", 0), "groups": groups}
    wanted = nn.ConvTranspose2d(4, 8, p["weight"].shape[2:], **options, **more).double()
    wanted.load_state_dict(p, strict=True)
    close(found, wanted(IMAGE).detach())


@option("conv_transpose.norm")
def test_conv_transpose_of_signals_with_a_norm_and_an_activation(tmp_path: Path) -> None:
    node = "{block: conv_transpose, input: x, channels: 6, kernel: 4, stride: 2, norm: batch_norm, activation: relu}"
    found, p = run(tmp_path, node, "float[batch, 6, 2*length + 2]", SIGNAL)
    y = F.conv_transpose1d(SIGNAL, p["weight"], p["bias"], stride=2)
    close(found, NORMS["batch_norm"](y, {name.removeprefix("norm."): one for name, one in p.items()}).relu())


@pytest.mark.parametrize(
    ("fields", "size", "space"),
    trying(
        "resize",
        [
            ("mode: nearest, factor: 2", (16, 12), "16, 12"),
            ("mode: nearest, size: [5, 9]", (5, 9), "5, 9"),
            ("mode: bilinear, factor: 1/2", (4, 3), "4, 3"),
            ("mode: bilinear, size: [16, 5]", (16, 5), "16, 5"),
            ("mode: bicubic, factor: 3/2", (12, 9), "12, 9"),
            ("mode: bicubic, size: 7", (7, 7), "7, 7"),
        ],
    ),
)
@option("resize.input")
def test_resize_of_images(fields: str, size: tuple[int, int], space: str, tmp_path: Path) -> None:
    found, _ = run(tmp_path, f"{{block: resize, input: x, {fields}}}", f"float[batch, 4, {space}]", IMAGE)
    mode = re.findall("mode: ([a-z]+)", fields)[0]
    more = {} if mode == "nearest" else {"align_corners": False}
    close(found, F.interpolate(IMAGE, size, mode=mode, **more))


@pytest.mark.parametrize(
    ("mode", "more"),
    [pytest.param("linear", {"align_corners": False}, marks=option("resize.mode=linear")), ("nearest", {})],
)
def test_resize_of_signals(mode: str, more: dict[str, bool], tmp_path: Path) -> None:
    node = f"{{block: resize, input: x, mode: {mode}, factor: 3}}"
    found, _ = run(tmp_path, node, "float[batch, 4, 3*length]", SIGNAL)
    close(found, F.interpolate(SIGNAL, scale_factor=3, mode=mode, **more))


UNET = """
dims: {batch: [1, 2, 4], side: {min: 8, typical: 16, max: 32, multiple: 4}, width: [4, 8, 16]}
inputs:
  x: float[batch, 4, side, width]
graph:
  low: {block: resize, input: x, mode: bilinear, size: [side//2, width]}
  down: {block: conv, input: low, channels: 4, kernel: 3, padding: 1, stride: [2, 1]}
  rolled: {block: roll, input: down, axis: width, by: 1}
  up: {block: conv_transpose, input: rolled, channels: 4, kernel: [2, 1], stride: [2, 1], norm: batch_norm}
  y: {block: resize, input: up, mode: nearest, size: [side, width]}
outputs:
  y: float[batch, 4, side, width]
rules:
  - within: {output: y, input: x, axis: 2, mask: within(9)}
  - causal: {output: y, input: x, axis: 3}
"""


def test_the_field_of_a_chain_of_resizes_is_proved(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, UNET)
    for sizes in ({"side": 8, "width": 5}, {"side": 16, "width": 4}):
        compare(spec.graph, filled(archspec.compile(spec, unproved=True)).eval(), {"batch": 2, **sizes})
    statuses = [verdict.status for verdict in archspec.check(spec.path).verdicts]
    assert statuses[:2] == ["proved", "violated"]


NORMS = {
    "batch_norm": lambda x, p: F.batch_norm(x, p["running_mean"], p["running_var"], p["weight"], p["bias"]),
    "{kind: batch_norm, weight: false, bias: false, eps: 1e-3}": lambda x, p: F.batch_norm(
        x, p["running_mean"], p["running_var"], eps=1e-3
    ),
    "{kind: batch_norm, unit_offset: true}": lambda x, p: F.batch_norm(
        x, p["running_mean"], p["running_var"], 1 + p["weight"], p["bias"]
    ),
    "{kind: group_norm, groups: 2, unit_offset: true}": lambda x, p: F.group_norm(x, 2, 1 + p["weight"], p["bias"]),
    "{kind: group_norm, groups: 2}": lambda x, p: F.group_norm(x, 2, p["weight"], p["bias"]),
    "{kind: group_norm, groups: 4, bias: false, eps: 1e-2}": lambda x, p: F.group_norm(x, 4, p["weight"], eps=1e-2),
    "layer_norm": lambda x, p: F.layer_norm(x.movedim(1, -1), (4,), p["weight"], p["bias"]).movedim(-1, 1),
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("x", [SIGNAL, IMAGE], ids=["signal", "image"])
def test_conv_with_a_norm_and_an_activation(norm: str, x: torch.Tensor, tmp_path: Path) -> None:
    node = f"{{block: conv, input: x, channels: 4, kernel: 1, norm: {norm}, activation: relu}}"
    found, p = run(tmp_path, node, f"float[batch, 4, {'length' if x.ndim == 3 else '8, 6'}]", x)
    y = (F.conv1d if x.ndim == 3 else F.conv2d)(x, p["weight"], p["bias"])
    inner = {name.removeprefix("norm."): array for name, array in p.items() if name.startswith("norm.")}
    close(found, NORMS[norm](y, inner).relu())


@pytest.mark.parametrize("norm", [pytest.param(one, marks=option(*named("norm", one))) for one in NORMS])
def test_the_norm_block_along_channels(norm: str, tmp_path: Path) -> None:
    fields = norm.strip("{}") if norm.startswith("{") else f"kind: {norm}"
    found, p = run(tmp_path, f"{{block: norm, input: x, axis: 1, {fields}}}", "float[batch, 4, 8, 6]", IMAGE)
    close(found, NORMS[norm](IMAGE, p))


def test_batch_norm_trains_its_statistics_and_counts_them_as_no_parameters(tmp_path: Path) -> None:
    spec = spec_with(tmp_path, "{block: norm, input: x, axis: 1, kind: batch_norm}", "float[batch, 4, 8, 6]", IMAGE)
    assert cost(spec.graph).parameters == cost(spec.graph).trainable == 8
    module, wanted = archspec.compile(spec).double(), nn.BatchNorm2d(4).double()
    assert {name for name, _ in module.named_buffers()} == {f"y.{name}" for name, _ in wanted.named_buffers()}
    close(module(IMAGE), wanted(IMAGE))
    for name, buffer in wanted.named_buffers():
        torch.testing.assert_close(module.get_buffer(f"y.{name}"), buffer)


def test_batch_norm_with_a_unit_offset_starts_as_the_identity_and_trains_its_statistics(tmp_path: Path) -> None:
    node = "{block: norm, input: x, axis: 1, kind: batch_norm, unit_offset: true}"
    module = archspec.compile(spec_with(tmp_path, node, "float[batch, 4, 8, 6]", IMAGE)).double()
    wanted = nn.BatchNorm2d(4).double()
    assert not module.get_parameter("y.weight").any()
    close(module(IMAGE), wanted(IMAGE))
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(module.get_buffer(f"y.{name}"), wanted.get_buffer(name))
    close(module.eval()(IMAGE), wanted.eval()(IMAGE))


@pytest.mark.parametrize(
    ("node", "space", "function"),
    [
        pytest.param(*row, marks=option(*named(row[0].partition(",")[0], f"input: x, {row[0]}")))
        for row in (
            ("max_pool, kernel: 2", "4, 3", lambda x: F.max_pool2d(x, 2)),
            ("max_pool, kernel: 3, stride: 2, padding: 1", "4, 3", lambda x: F.max_pool2d(x, 3, 2, 1)),
            ("avg_pool, kernel: 2", "4, 3", lambda x: F.avg_pool2d(x, 2)),
            ("avg_pool, kernel: 3, stride: 1, padding: 1", "8, 6", lambda x: F.avg_pool2d(x, 3, 1, 1)),
        )
    ],
)
def test_pools_of_images(node: str, space: str, function, tmp_path: Path) -> None:
    found, _ = run(tmp_path, f"{{input: x, block: {node}}}", f"float[batch, 4, {space}]", IMAGE)
    close(found, function(IMAGE))


@pytest.mark.parametrize(
    ("node", "length", "function"),
    [
        ("{block: max_pool, input: x, kernel: 3, stride: 2}", "(length - 3) // 2 + 1", lambda x: F.max_pool1d(x, 3, 2)),
        ("{block: avg_pool, input: x, kernel: 4}", "length // 4", lambda x: F.avg_pool1d(x, 4)),
    ],
)
def test_pools_of_signals(node: str, length: str, function, tmp_path: Path) -> None:
    found, _ = run(tmp_path, node, f"float[batch, 4, {length}]", SIGNAL)
    close(found, function(SIGNAL))


@option("pool.kind={kind}")
@pytest.mark.parametrize("kind", ["mean", "max"])
def test_pool_over_all_space(kind: str, tmp_path: Path) -> None:
    found, _ = run(tmp_path, f"{{block: pool, input: x, kind: {kind}}}", "float[batch, 4]", IMAGE)
    close(found, IMAGE.mean((2, 3)) if kind == "mean" else IMAGE.amax((2, 3)))


@option("squeeze_excite.input", "squeeze_excite.reduction")
@pytest.mark.parametrize(("field", "act"), [("", F.relu), (", activation: silu", F.silu)])
@pytest.mark.parametrize("x", [SIGNAL, IMAGE], ids=["signal", "image"])
def test_squeeze_excite(field: str, act, x: torch.Tensor, tmp_path: Path) -> None:
    output = f"float[batch, 4, {'length' if x.ndim == 3 else '8, 6'}]"
    found, p = run(tmp_path, f"{{block: squeeze_excite, input: x, reduction: 2{field}}}", output, x)
    mean = x.flatten(2).mean(-1)
    down = act(mean @ p["down.weight"].flatten(1).T + p["down.bias"])
    factors = torch.sigmoid(down @ p["up.weight"].flatten(1).T + p["up.bias"])
    close(found, x * factors.reshape(*factors.shape, *(1 for _ in x.shape[2:])))


def residual(x: torch.Tensor, p: dict[str, torch.Tensor], kernels: list[int], stride: int, act) -> torch.Tensor:
    """One layer of the paper's figure 5, from the formula; `stride` stands on the first 3x3."""

    def convolve(x: torch.Tensor, name: str, norm: str, **options: int) -> torch.Tensor:
        y = F.conv2d(x, p[f"{name}.weight"], p.get(f"{name}.bias"), **options)
        if f"{norm}.weight" not in p:
            return y
        statistics = (p[f"{norm}.running_mean"], p[f"{norm}.running_var"])
        return F.batch_norm(y, *statistics, p[f"{norm}.weight"], p[f"{norm}.bias"])

    y, strided = x, kernels.index(3)
    for number, kernel in enumerate(kernels):
        one = stride if number == strided else 1
        y = convolve(y, f"conv{number + 1}", f"norm{number + 1}", stride=one, padding=kernel // 2)
        y = act(y) if number + 1 < len(kernels) else y
    if "shortcut.weight" in p:
        x = convolve(x, "shortcut", "shortcut_norm", stride=stride)
    return act(x + y)


@option("conv_residual.input", "conv_residual.channels", "conv_residual.layers", "norm.kind=batch_norm")
@pytest.mark.parametrize(
    ("fields", "channels", "kernels", "stride", "act"),
    trying(
        "conv_residual",
        [
            ("kind: basic, channels: 4", 4, [3, 3], 1, F.relu),
            ("kind: basic, channels: 6", 6, [3, 3], 1, F.relu),
            ("kind: basic, channels: 4, stride: 2, activation: silu", 4, [3, 3], 2, F.silu),
            ("kind: basic, channels: 4, norm: none", 4, [3, 3], 1, F.relu),
            ("kind: bottleneck, channels: 8", 8, [1, 3, 1], 1, F.relu),
            ("kind: bottleneck, channels: 8, reduction: 2, stride: 2", 8, [1, 3, 1], 2, F.relu),
        ],
    ),
)
def test_conv_residual(fields: str, channels: int, kernels: list[int], stride: int, act, tmp_path: Path) -> None:
    node = f"{{block: conv_residual, input: x, layers: 2, {fields}}}"
    space = "8, 6" if stride == 1 else "4, 3"
    defaults = "defaults: {norm: batch_norm}"
    found, p = run(tmp_path, node, f"float[batch, {channels}, {space}]", IMAGE, defaults)
    wanted = IMAGE
    for layer, one in enumerate((stride, 1)):
        inner = {
            name.removeprefix(f"layers.{layer}."): array for name, array in p.items() if f"layers.{layer}." in name
        }
        assert ("shortcut.weight" in inner) == (layer == 0 and (stride != 1 or channels != 4))
        wanted = residual(wanted, inner, kernels, one, act)
    close(found, wanted)
    narrow = channels // (2 if "reduction" in fields else 4)
    assert p["layers.0.conv1.weight"].shape[0] == (channels if "basic" in fields else narrow)


def test_an_odd_size_at_run_time(tmp_path: Path) -> None:
    chain = "[{block: conv, input: x, channels: 4, kernel: 3, padding: circular}, {block: max_pool, kernel: 2}]"
    spec = spec_with(tmp_path, chain, "float[batch, 4, length // 2]", SIGNAL)
    for length in (5, 8, 16):
        compare(spec.graph, filled(archspec.compile(spec)).eval(), {"batch": 3, "length": length})


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ("{block: conv, input: x, channels: 5, kernel: 3, groups: 2}", "E305"),
        ("{block: conv, input: x, channels: 4, kernel: 9}", "E305"),
        ("{block: conv, input: x, channels: 4, kernel: 3, padding: causal, stride: 2}", "E242"),
        ("{block: conv, input: x, channels: 4, kernel: [3, 3, 3]}", "E204"),
        ("{block: conv, input: x, channels: 4, kernel: []}", "E204"),
        ("{block: conv, input: x, channels: 4, kernel: 3, padding: [1]}", "E204"),
        ("{block: conv, input: x, channels: 4, kernel: [3, 0]}", "E304"),
        ("{block: conv, input: x, channels: 4, kernel: 3, norm: {kind: group_norm, groups: 3}}", "E305"),
        ("{block: conv, input: x, channels: 4, kernel: 3, norm: group_norm}", "E203"),
        ("{block: conv, input: x, channels: 4, kernel: 3, norm: {kind: batch_norm, weight: false}}", "E242"),
        ("{block: conv, input: x, channels: 4, kernel: 3, norm: {kind: layer_norm, groups: 2}}", "E241"),
        ("{block: max_pool, input: x, kernel: 2, padding: 2}", "E305"),
        ("{block: conv_transpose, input: x, channels: 4, kernel: 2, output_padding: 1}", "E305"),
        ("{block: conv_transpose, input: x, channels: 4, kernel: 1, padding: 4}", "E305"),
        ("{block: conv_transpose, input: x, channels: 6, kernel: 1, groups: 4}", "E305"),
        ("{block: resize, input: x, mode: linear, factor: 2}", "E242"),
        ("{block: resize, input: x, mode: nearest}", "E242"),
        ("{block: resize, input: x, mode: nearest, factor: 2, size: 4}", "E242"),
        ("{block: resize, input: x, mode: nearest, factor: 1/5}", "E301"),
        ("{block: resize, input: x, mode: nearest, size: [4]}", "E204"),
        ("{block: squeeze_excite, input: x, reduction: 3}", "E340"),
        ("{block: conv_residual, input: x, kind: bottleneck, channels: 8, reduction: 3, layers: 1}", "E243"),
        (
            "{block: conv_residual, input: x, kind: bottleneck, channels: 8, reduction: 3, layers: 1, norm: none}",
            "E340",
        ),
    ],
)
def test_what_does_not_fit_is_refused(node: str, code: str, tmp_path: Path) -> None:
    inputs = "inputs:\n  x: float[batch, 4, 8, 6]\ndims: {batch: [1, 2, 4]}"
    said = refusal(tmp_path, f"{inputs}\ngraph:\n  y: {node}\noutputs:\n  y: float[batch]")
    assert f"error[{code}]" in said, said


@pytest.mark.parametrize(
    ("dim", "known"), [("[1, 9, 20]", False), ("{min: 3, typical: 9, max: 21, multiple: 3}", True)]
)
def test_zeros_that_depend_on_the_size_at_run_time_are_refused(dim: str, known: bool, tmp_path: Path) -> None:
    text = f"inputs:\n  x: float[batch, 4, length]\ndims: {{batch: [1, 2, 4], length: {dim}}}\ngraph:\n  y: "
    text += "{block: conv, input: x, channels: 4, kernel: 5, stride: 3, padding: same}\n"
    text += "outputs:\n  y: float[batch, 4, SIZE]"
    if not known:
        assert "the number of zeros depends on the size, length" in refusal(tmp_path, text.replace("SIZE", "length"))
        return
    spec = spec_of(tmp_path, text.replace("SIZE", "length//3"))
    for length in (3, 9, 21):
        compare(spec.graph, filled(archspec.compile(spec)).eval(), {"batch": 2, "length": length})


def test_norms_of_channels_do_not_stand_in_transformers(tmp_path: Path) -> None:
    encoder = "block: encoder, input: x, layers: 1, residual: pre, attention: none"
    node = f"{{{encoder}, feed_forward: {{hidden: 4, activation: relu}}, norm: batch_norm, final_norm: false}}"
    assert "error[E241]: `batch_norm` is a norm over channels" in refusal(tmp_path, f"graph:\n  y: {node}")
