"""Receptive fields against the extent that large positive changes of the input have in the compiled module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import archspec
from archspec.algebra.dim import Dim
from archspec.analyses.field import ReceptiveField, ReceptiveFields
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir

_CUTS = 7
_LARGE = 1e12
_EDGE = 40.0
VGG = """archspec: 1
name: vgg-16
constants: {image: 224}
dims: {batch: [1, 2, 64]}
inputs:
  pixels: float[batch, 3, image, image]
graph:
"""


def vgg() -> str:
    """The convolutions and pools of VGG-16, with few channels (Simonyan and Zisserman 2014, arXiv 1409.1556)."""
    lines, before = [], "pixels"
    for number, count in enumerate((2, 2, 3, 3, 3), 1):
        lines.append(f"  stage{number}:")
        for place in range(count):
            given = f"input: {before}, " if place == 0 else ""
            lines.append(f"    - {{block: conv, {given}channels: 4, kernel: 3, padding: same, activation: relu}}")
        lines.append("    - {block: max_pool, kernel: 2, stride: 2}")
        before = f"stage{number}"
    return VGG + "\n".join(lines) + "\noutputs:\n  stage5: float[batch, 4, image//32, strip//32]\n"


def strip(text: str, rows: int, columns: int, stages: Sequence[str], folder: Path, **constants: int) -> Spec:
    """A spec over high and narrow images, for fields along rows, whose outputs are its stages."""
    text = text.replace("image, image]", "image, strip]").replace("constants: {", f"constants: {{strip: {columns}, ")
    known = _loaded(text, folder, {"image": rows, **constants})
    outputs = "".join(f"  {name}: {known.values[name].type}\n" for name in stages)
    head = text.split("\noutputs:\n")[0]
    return _loaded(f"{head}\noutputs:\n{outputs}", folder, {"image": rows, **constants})


def _loaded(text: str, folder: Path, constants: dict[str, int]) -> Spec:
    path = folder / "strip.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, set={name: str(value) for name, value in constants.items()})


def positive(module: nn.Module) -> nn.Module:
    """The module in float64 with positive parameters; the ends of kernels outweigh the middle, so that they show."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point() and "running_mean" not in name:
                tensor.copy_(0.5 + torch.rand(tensor.shape))
            if tensor.dim() == 4 and tensor.shape[2] > 1:
                tensor[:, :, [0, -1]] *= _EDGE
            if tensor.dim() > 1:
                tensor /= tensor[0].sum()
    return module.double().eval()


class Measured:
    """Runs of a module on one image, of which some rows are changed by much."""

    def __init__(self, module: nn.Module, rows: int, columns: int) -> None:
        self.module = positive(module)
        self.pixels = 0.5 + torch.rand((1, 3, rows, columns), dtype=torch.float64)
        self.change = _LARGE * (0.5 + torch.rand(self.pixels.shape, dtype=torch.float64))
        self.before = self.run(torch.zeros((1, rows), dtype=torch.bool))

    def run(self, changed: torch.Tensor) -> list[torch.Tensor]:
        """The outputs where rows are changed, bool [batch, rows]."""
        pixels = self.pixels + changed[:, None, :, None] * self.change
        with torch.no_grad():
            found = self.module(pixels)
        return list(found) if isinstance(found, tuple) else [found]

    def field(self, stage: int, told: tuple[int, int]) -> tuple[int, int]:
        """The first and the last row that the middle row of an output depends on, from both ends.

        `told` are the rows that it is said to be.
        """
        rows = self.pixels.shape[2]
        first = self.boundary(stage, lambda cut: torch.arange(rows) <= cut, told[0])
        last = self.boundary(stage, lambda cut: torch.arange(rows) >= rows - 1 - cut, rows - 1 - told[1])
        return first, rows - 1 - last

    def boundary(self, stage: int, rows: Callable[[int], torch.Tensor], told: int) -> int:
        """The least cut at which changed rows move the middle row of an output: the one told, or else by bisection."""
        if told > 0 and self.moved(stage, [rows(told - 1), rows(told)]) == [False, True]:
            return told
        low, high = 0, self.pixels.shape[2] - 1
        while low < high:
            cuts = np.unique(np.linspace(low, high, _CUTS).astype(int))
            place = self.moved(stage, [rows(int(cut)) for cut in cuts]).index(True)
            low, high = (int(cuts[place - 1]) + 1 if place else low), int(cuts[place])
        return low

    def moved(self, stage: int, changed: list[torch.Tensor]) -> list[bool]:
        """Whether the middle row of an output moves, for each set of changed rows, bool [rows]."""
        # The unchanged image is in the same batch: another size of batch may be rounded in another way.
        before, *after = self.run(torch.stack([torch.zeros_like(changed[0]), *changed]))[stage]
        middle = before.shape[1] // 2
        return [bool((one[:, middle] != before[:, middle]).any()) for one in after]


def compared(spec: Spec, rows: int, columns: int) -> dict[str, tuple[int, int]]:
    """For each output the computed and the measured extent; their places must agree as well."""
    measured = Measured(archspec.compile(spec), rows, columns)
    fields, found = ReceptiveFields(spec.graph), {}
    for stage, (name, value) in enumerate(spec.outputs.items()):
        field = fields.of(value, spec.graph.inputs[0], 2)
        assert field is not None
        assert field.why == "", f"{name} is exact"
        assert field.extent is not None
        assert field.stride is not None
        assert field.offset is not None
        begin = field.stride * (measured.before[stage].shape[2] // 2) + field.offset
        first, last = measured.field(stage, (int(begin), int(begin) + field.extent.value({}) - 1))
        assert first == begin, name
        found[name] = (field.extent.value({}), last - first + 1)
    return found


SHIPPED = shipped_specs_dir()
STAGES = ("stem", "stage1", "stage2", "stage3", "stage4")


def agrees(found: dict[str, tuple[int, int]], expected: Sequence[int]) -> None:
    assert [told for told, _ in found.values()] == list(expected)
    assert [seen for _, seen in found.values()] == list(expected)


@pytest.mark.parametrize("rows", [896, pytest.param(1024, marks=pytest.mark.slow)])
def test_resnet_50(rows: int, tmp_path: Path) -> None:
    """Those of He et al.'s network with the stride on the 3x3 convolutions, as torchvision has it."""
    text = (SHIPPED / "resnet-50.yaml").read_text()
    spec = strip(text, rows, 32, STAGES, tmp_path, width=2, classes=2)
    agrees(compared(spec, rows, 32), (11, 35, 91, 267, 427))


@pytest.mark.parametrize("rows", [448, pytest.param(512, marks=pytest.mark.slow)])
def test_vgg_16(rows: int, tmp_path: Path) -> None:
    stages = [f"stage{number}" for number in range(1, 6)]
    agrees(compared(strip(vgg(), rows, 32, stages, tmp_path), rows, 32), (6, 16, 44, 100, 212))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [3392, 3520])
def test_convnext_tiny(rows: int, tmp_path: Path) -> None:
    """At full depth what one row adds fades below rounding in the norms of layers, which see one position each.

    Norms and activations of single positions change no field: batch norm and ReLU stand for them.
    """
    text = (SHIPPED / "convnext-tiny.yaml").read_text().replace("activation: gelu", "activation: relu")
    text = text.replace("norm: {kind: layer_norm, eps: 1e-6}", "norm: batch_norm")
    text = text.replace("{block: norm, input: positions, axis: -1}", "{block: affine, input: positions}")
    spec = strip(text, rows, 32, STAGES, tmp_path, width=2, classes=2)
    agrees(compared(spec, rows, 32), [4, 76, 224, 1096, 1688])


@pytest.mark.parametrize("rows", [512, 576])
def test_convnext_of_few_layers(rows: int, tmp_path: Path) -> None:
    text = (SHIPPED / "convnext-tiny.yaml").read_text()
    spec = strip(text, rows, 32, STAGES, tmp_path, width=6, classes=2, layers=1, layers3=1)
    agrees(compared(spec, rows, 32), [4, 28, 80, 184, 392])


@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (4, 2), (4, 4), (32, 16)])
def test_dilated_kernels_in_groups(channels: int, groups: int, tmp_path: Path) -> None:
    """The taps of a group are read together: 1 + 2 * 3, then 2 * 2 * 2 more at a stride of 2, then 2 of a pool.

    Of 16 groups the relation has one bound, whose ends are those of the taps.
    """
    rest = f"channels: {channels}, dilation: [DILATION, 1], groups: GROUPS}}"
    first = "  stem: {block: conv, input: pixels, kernel: [3, 1], padding: [3, 0], stride: [2, 1], "
    text = (
        "archspec: 1\nname: dilated\nconstants: {image: 64}\ndims: {batch: [1, 2, 64]}\n"
        "inputs:\n  pixels: float[batch, 3, image, image]\ngraph:\n"
        + first
        + rest.replace("DILATION", "3").replace("GROUPS", "1")
        + "\n  stage1: {block: conv, input: stem, kernel: [3, 1], padding: [2, 0], "
        + rest.replace("DILATION", "2").replace("GROUPS", str(groups))
        + "\n  stage2: {block: avg_pool, input: stage1, kernel: 2, stride: 2}\n"
        f"outputs:\n  stage2: float[batch, {channels}, image//4, strip//2]\n"
    )
    spec = strip(text, 128, 4, ("stem", "stage1", "stage2"), tmp_path)
    agrees(compared(spec, 128, 4), (7, 15, 17))


def test_more_taps_with_gaps_than_a_relation_holds(tmp_path: Path) -> None:
    """25 taps of a kernel, and 16 groups of a transposed one."""
    text = (
        "archspec: 1\nname: dilated\nconstants: {image: 64}\ndims: {batch: [1, 2, 64]}\n"
        "inputs:\n  pixels: float[batch, 3, image, image]\ngraph:\n"
        "  stem: {block: conv, input: pixels, channels: 32, kernel: 5, padding: 4, dilation: 2}\n"
        "  stage1: {block: conv_transpose, input: stem, channels: 32, kernel: 3, stride: 2, groups: 16}\n"
        "outputs:\n  stage1: float[batch, 32, 2*image + 1, 2*strip + 1]\n"
    )
    spec = strip(text, 64, 4, ("stem", "stage1"), tmp_path)
    agrees(compared(spec, 64, 4), (9, 10))


def field_of(name: str, value: str, axis: int = 1, source: str | None = None) -> ReceptiveField:
    spec = load(name)
    given = spec.graph.inputs[0] if source is None else spec.values[source]
    found = ReceptiveFields(spec.graph).of(spec.values[value], given, axis)
    assert found is not None
    return found


def test_a_vision_transformer_is_global_from_its_first_layer() -> None:
    for axis in (2, 3):
        tokens = field_of("vit-b16", "tokens", axis)
        assert (tokens.extent, tokens.why) == (Dim.of(16), "")
        states = field_of("vit-b16", "states", axis)
        assert states.extent is None
        assert states.lost is not None
        assert states.lost.path == "states.layers.*.attention"


def test_windows_add_up_over_layers() -> None:
    assert field_of("mistral-7b", "states").extent == Dim.of(32 * 4095 + 1)
    # Every second layer sees everything.
    assert field_of("gemma-2-2b", "states").extent is None
    assert field_of("gpt2", "states").extent is None
