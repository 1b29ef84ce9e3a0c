"""What `compare` measures, against loops and gradients written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import archspec
from archspec.analyses.shift import Shifts
from archspec.contract.effective_field import gradient_energy, within
from archspec.contract.shifted import Followed, coloured, deviations, placed
from archspec.contract.torch_module import TorchRunner
from archspec.ir.motion import Move, Moves
from archspec.model.runner import FunctionRunner
from archspec.spec import load
from archspec.views.comparison.compare import Comparison, compare
from archspec.views.comparison.measured import MOVES

PLAIN = """\
archspec: 1
name: {name}
dims: {{batch: [1, 2, 4]}}
inputs: {{x: "float[batch, 2, 24, 24]"}}
graph:
  first: {{block: conv, input: x, channels: 3, kernel: 3, padding: {padding}, bias: true, activation: relu}}
  second: {{block: conv, input: first, channels: 1, kernel: 5, padding: {wide}, bias: true}}
outputs: {{second: "float[batch, 1, 24, 24]"}}
"""


def answer(found: Comparison, key: str, column: int = 0) -> Any:
    (row,) = (row for section in found.sections for row in section.rows if row.key == key)
    return row.answers[column]


@pytest.fixture(scope="module")
def small() -> Comparison:
    return compare(["resnet-50", "vit-b16"], reduced=True)


@pytest.fixture
def plain(tmp_path: Path) -> list[str]:
    made = []
    for name, padding, wide in (("zeros", "1", "2"), ("around", "circular", "circular")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(PLAIN.format(name=name, padding=padding, wide=wide), encoding="utf-8")
        made.append(str(path))
    return made


def fresh(name: str, expose: tuple[str, ...] = (), seed: int = 0, **options: Any) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return archspec.compile(load(name, **options), expose=expose).eval()


def image(spec: Any, seed: int = 0) -> torch.Tensor:
    """The image that is measured on, drawn by hand."""
    given = spec.inputs["pixels" if "pixels" in spec.inputs else "x"].type
    shape = [1, *(size.constant for size in given.shape[1:])]
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(coloured(noise, [2, 3]))


def test_the_output_against_a_loop(small: Comparison) -> None:
    """The change of the logits of ResNet under `torch.roll`."""
    module, x = fresh("resnet-50", reduced=True), image(load("resnet-50", reduced=True))
    with torch.no_grad():
        before = module(x)
        curve = {by: ((module(x.roll(by, 3)) - before).abs().max() / before.abs().max()).item() for by in MOVES}
    found = answer(small, "shift_largest").value
    assert {one["by"]: one["largest"] for one in found["curve"]} == pytest.approx(curve, rel=1e-3)
    assert found["largest"] == pytest.approx(max(curve.values()), rel=1e-3)
    assert curve[found["by"]] == pytest.approx(found["largest"], rel=1e-3)


def test_a_stage_against_a_loop(small: Comparison) -> None:
    """Stage 1 of ResNet moves by one position with 4 pixels: everywhere, and where its 27 pixels are inside."""
    module, x = fresh("resnet-50", ("stage1",), reduced=True), image(load("resnet-50", reduced=True))
    all_, inside = [], []
    with torch.no_grad():
        before = module(x)[1]
        for by in (by for by in MOVES if by % 4 == 0):
            off = (module(x.roll(by, 3))[1] - before.roll(by // 4, 3)).abs() / before.abs().max()
            all_.append(off.max().item())
            kept = [m for m in range(16) if 4 * m - 13 >= by and 4 * m + 13 < 64]
            inside += [off[..., kept].max().item()] if kept else []
    found = answer(small, "shift_stage_2").value
    assert found["stage"] == "stage1"
    assert found["largest"] == pytest.approx(max(all_), rel=1e-3)
    assert found["inside"] == pytest.approx(max(inside), abs=1e-6)
    assert found["inside"] < 1e-6 < 0.1 < found["largest"]


def test_tokens_against_a_loop(small: Comparison) -> None:
    """The tokens of ViT are 4 x 4 patches of 8 pixels behind a class token: columns move, the class token does not."""
    module, x = fresh("vit-b16", ("tokens",), reduced=True), image(load("vit-b16", reduced=True))
    with torch.no_grad():
        before = module(x)[1]
        largest = []
        for by in (8, 16, 24):
            grid = before[:, 1:].unflatten(1, (4, 4)).roll(by // 8, 2).flatten(1, 2)
            expected = torch.cat([before[:, :1], grid], 1)
            largest.append(((module(x.roll(by, 3))[1] - expected).abs().max() / before.abs().max()).item())
    found = answer(small, "shift_stage_1", 1).value
    assert found["stage"] == "tokens"
    assert found["largest"] == pytest.approx(max(largest), rel=1e-3)


def test_what_is_proved_is_measured_and_what_is_broken_is_violated(small: Comparison) -> None:
    assert answer(small, "broken_by", 1).known == "violated"
    assert answer(small, "broken_by", 0).known == "violated"
    assert answer(small, "moves_stage_1", 1).known == "violated"
    assert answer(small, "moves_stage_1", 0).known == "proved"
    without = compare(["resnet-50", "vit-b16"], reduced=True, measured=False)
    assert answer(without, "broken_by", 1).known == "not proved"
    assert {section.key for section in without.sections}.isdisjoint({"shift", "effective_field"})


def test_circular_padding_moves_everywhere(plain: list[str]) -> None:
    found = compare(plain)
    assert answer(found, "moves_up_to", 1).value == {
        "stage": "second",
        "by": [1, 1],
        "border": "everywhere",
        "at_size": "second",
    }
    assert answer(found, "broken_by", 1).text == "nothing"
    assert answer(found, "shift_largest", 1).value["largest"] < 1e-5
    # Of zeros only what is inside moves.
    assert answer(found, "moves_up_to", 0).value["border"] == "inside the border"
    assert answer(found, "shift_stage_2", 0).value["inside"] < 1e-5
    assert answer(found, "shift_largest", 0).value["largest"] > 1e-2


def test_patches_without_positions_move_everywhere(tmp_path: Path) -> None:
    text = Path(load("vit-b16").path).read_text(encoding="utf-8").partition("counts:")[0]
    path = tmp_path / "unplaced.yaml"
    path.write_text(
        text.replace(", positions: learned", "").replace("name: vit-b16", "name: unplaced"), encoding="utf-8"
    )
    small = {"image": "32", "patch": "8", "d_model": "32", "heads": "4", "layers": "2", "classes": "7"}
    placed_, unplaced = (compare(["vit-b16", str(path)], set=small, unproved=True), 1)
    assert answer(placed_, "moves_stage_2", unplaced).value["axes"][1]["where"] == "everywhere"
    assert answer(placed_, "shift_stage_2", unplaced).value["largest"] < 1e-5
    assert answer(placed_, "shift_output_8", unplaced).value < 1e-5
    # Below the stride nothing is promised, and it does change.
    assert answer(placed_, "shift_output_4", unplaced).value > 1e-3
    assert answer(placed_, "moves_stage_1", 0).known == "violated"


SLICED = """\
archspec: 1
name: {name}
dims: {{batch: [1, 2, 4]}}
inputs: {{x: "float[batch, 4, 16, 16]"}}
graph:
  cut: {{block: slice, input: x, axis: 3, start: 1, stop: -1}}
  y: {{block: conv, input: cut, channels: 2, kernel: 3, padding: 1}}
outputs: {{y: "float[batch, 2, 16, 14]"}}
"""
EXCITED = """\
archspec: 1
name: {name}
dims: {{batch: [1, 2, 4]}}
inputs: {{x: "float[batch, 4, 16, 16]"}}
graph:
  gated: {{block: squeeze_excite, input: x, reduction: 2}}
  y: {{block: conv, input: gated, channels: 4, kernel: 2, stride: 2}}
outputs: {{y: "float[batch, 4, 8, 8]"}}
"""


def test_what_enters_a_slice_and_what_is_global_before_a_stride(tmp_path: Path) -> None:
    for name, text in (("sliced", SLICED), ("excited", EXCITED)):
        (tmp_path / f"{name}.yaml").write_text(text.format(name=name), encoding="utf-8")
    found = compare([str(tmp_path / "sliced.yaml"), str(tmp_path / "excited.yaml")])
    # A column that the slice left out before the move is no position of the slice.
    assert answer(found, "shift_stage_1", 0).value["inside"] < 1e-6
    # The gate is a mean over all positions, which cyclic moves leave as it is.
    assert answer(found, "moves_up_to", 1).value == {"stage": "y", "by": [2, 2], "border": "everywhere", "at_size": "y"}
    assert answer(found, "shift_stage_2", 1).value["largest"] < 1e-5


POOLED = """\
archspec: 1
name: {name}
dims: {{batch: [1, 2, 4]}}
inputs: {{x: "float[batch, 3, 64, 64]"}}
graph:
  edges: {{block: conv, input: x, channels: 8, kernel: 3, padding: circular, bias: true, activation: relu}}
  {down}
  more: {{block: conv, input: down, channels: 8, kernel: 3, padding: circular, bias: true, activation: relu}}
  y: {{block: pool, input: more, kind: mean}}
outputs: {{y: "float[batch, 8]"}}
"""


def test_a_mean_before_a_stride_lowers_the_deviation(tmp_path: Path) -> None:
    """A mean over all positions does not change under moves by the stride; below it less so if a mean comes first."""
    ways = {
        "sharp": "down: {block: max_pool, input: edges, kernel: 1, stride: 4}",
        "blurred": "down: {block: avg_pool, input: edges, kernel: 4, stride: 4}",
    }
    for name, down in ways.items():
        (tmp_path / f"{name}.yaml").write_text(POOLED.format(name=name, down=down), encoding="utf-8")
    found = compare([str(tmp_path / f"{name}.yaml") for name in ways])
    for column in (0, 1):
        last = found.specs[column].last
        assert last is not None
        assert [(motion.unit, motion.extent) for motion in last.motions] == [(4, "still")] * 2
        assert answer(found, "shift_output_4", column).value < 1e-5
        assert answer(found, "shift_output_2", column).value > 1e-4
    sharp, blurred = (answer(found, "shift_output_2", column).value for column in (0, 1))
    assert blurred < sharp / 2


def test_gradient_energy_of_one_channel_is_the_squared_gradient(plain: list[str]) -> None:
    module, spec = fresh(plain[0]), load(plain[0])
    x = image(spec).requires_grad_()
    (gradient,) = torch.autograd.grad(module(x)[0, 0, 12, 7], x)
    by_hand = (gradient.double() ** 2).sum((0, 1)).numpy()
    runner = TorchRunner(module.requires_grad_(False), ["x"], ["second"])
    found = gradient_energy(runner, {"x": x.detach().numpy()}, ("x", (2, 3)), "second", {2: 12, 3: 7}, 0)
    assert found is not None
    np.testing.assert_allclose(found, by_hand / by_hand.sum(), rtol=1e-5, atol=1e-12)
    # The field of a kernel of 3 and one of 5 has 7 x 7 positions.
    assert set(zip(*np.nonzero(found), strict=True)) <= {(i, j) for i in range(9, 16) for j in range(4, 11)}
    assert within(found, (12.0, 7.0))[3] == pytest.approx(1.0)


def test_gradient_energy_of_many_channels_approaches_the_sum_over_them() -> None:
    weights = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    runner = TorchRunner(lambda x: torch.einsum("cp,bp->bc", weights, x), ["x"], ["y"])
    x = {"x": np.ones((1, 5), np.float32)}
    drawn = [gradient_energy(runner, x, ("x", (1,)), "y", {}, seed) for seed in range(100)]
    exact = (weights**2).sum(0) / (weights**2).sum()
    np.testing.assert_allclose(np.mean(np.stack(drawn), axis=0), exact.numpy(), atol=0.03)


def test_shares_within_a_radius_against_a_count() -> None:
    energy = np.random.default_rng(0).random((6, 9))
    energy /= energy.sum()
    centre = (2.5, 4.0)
    shares = within(energy, centre)
    for radius in range(6):
        pairs = [(i, j) for i in range(6) for j in range(9) if max(abs(i - 2.5), abs(j - 4.0)) <= radius]
        assert shares[min(radius, len(shares) - 1)] == pytest.approx(sum(energy[i, j] for i, j in pairs))


def test_ids_have_the_field_of_their_embeddings() -> None:
    found = compare(["gpt2", "llama-3.2-1b"], reduced=True)
    for column in (0, 1):
        effective = found.specs[column].measured.effective
        assert effective is not None
        at = effective.position[0]
        assert effective.energy.sum() == pytest.approx(1)
        # No gradient comes from later positions.
        assert effective.energy[at + 1 :].max() == 0
        assert effective.energy[at] > 0


def test_a_move_along_tokens_is_that_of_the_grid() -> None:
    spec = load("vit-b16", reduced=True)
    pixels, tokens = spec.graph.inputs[0], spec.graph.nodes[0].outputs[0]
    array = np.arange(17.0)[None, :, None] * np.ones((2, 17, 3))
    for axis, along in ((2, 1), (3, 2)):
        place = Shifts(spec.graph, pixels, axis, Move(length=pixels.type.shape[axis], unit=8, circular=False))
        motion = place.motion(tokens)
        assert isinstance(motion, Moves)
        moved, numbers = placed(array, motion, 1, {"batch": 2})
        grid = np.roll(array[:, 1:].reshape(2, 4, 4, 3), 1, axis=along).reshape(2, 16, 3)
        np.testing.assert_array_equal(moved[:, 1:], grid)
        np.testing.assert_array_equal(moved[:, 0], array[:, 0])
        expected = [-1, *np.indices((4, 4))[along - 1].ravel()]
        assert numbers.tolist() == expected


def test_zero_and_infinite_outputs_are_told_apart() -> None:
    x = np.ones((1, 8), np.float32)
    for value, expected in ((0.0, np.isnan), (np.inf, np.isinf)):
        runner = FunctionRunner(function=lambda arrays, value=value: {"y": np.full((1, 3), value)})
        ((found,),) = deviations(runner, {"x": x}, ("x", 1), [1], [Followed(output="y")], {})
        assert expected(found.largest)


def test_noise_like_natural_images() -> None:
    made = coloured(np.random.default_rng(0).standard_normal((4, 3, 64, 64), dtype=np.float32), [2, 3])
    assert made.std() == pytest.approx(1, abs=1e-5)
    power = (np.abs(np.fft.fft2(made)) ** 2).mean((0, 1))
    row = power[0, 1:17]
    slope = np.polyfit(np.log(np.arange(1, 17)), np.log(row), 1)[0]
    assert slope == pytest.approx(-2, abs=0.5)
    assert power[0, 0] == pytest.approx(0, abs=1e-6)


def test_given_weights_are_measured(tmp_path: Path, plain: list[str]) -> None:
    module = fresh(plain[0], seed=5)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    found = compare(plain, weights={"zeros": tmp_path / "w.safetensors"})
    x = image(load(plain[0]))
    with torch.no_grad():
        before = module(x)
        off = (module(x.roll(1, 3)) - before.roll(1, 3)).abs().max() / before.abs().max()
    assert answer(found, "shift_output_1").value == pytest.approx(off.item(), rel=1e-3)
    assert any("zeros with " in note for note in found.notes)
    assert json.dumps(answer(found, "shift_largest").value)
    with pytest.raises(archspec.SpecError, match="weights are given for `zero`, which is not compared"):
        compare(plain, weights={"zero": tmp_path / "w.safetensors"})


def test_a_decoder_with_a_window_and_one_without_have_the_position_itself_as_centre() -> None:
    found = compare(["mistral-7b", "llama-3.2-1b"], reduced=True)
    for column in (0, 1):
        effective = found.specs[column].measured.effective
        assert effective is not None
        assert effective.centre == tuple(float(at) for at in effective.position)
