"""Bundles whose artifacts round what they multiply: only where asked for, by a known rule, and with a measured loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

import archspec
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.parity import float_arrays
from archspec.bundle.quantising import Quantisation
from archspec.bundle.report import step_of
from archspec.bundle.verify import verify_bundle
from archspec.cli import cli
from archspec.decoding import Decoder, decoder
from archspec.diagnostics import SpecError
from archspec.layouts.parameters import parameter_shapes
from archspec.oracle.interpreter import interpret
from tests.bundle.test_steps import TINY
from tests.steps import steps_here

WIDE = """
archspec: 1
name: wide
dims: {batch: [1, 2, 4]}
inputs: {x: "float[batch, 96]"}
graph:
  logits: {block: linear, input: x, dim: 48, bias: false}
outputs: {logits: "float[batch, 48]"}
"""
FORMATS = ("int8:32", "int4:32", "int8")
ROWS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, rng = tmp_path_factory.mktemp("rounded"), np.random.default_rng(0)
    (made / "wide.yaml").write_text(WIDE)
    np.savez(made / "x.npz", x=rng.normal(size=(ROWS, 96)).astype("f"))
    save_file({"logits.weight": rng.normal(size=(48, 96)).astype("f")}, made / "w.safetensors")
    return made


def build(folder: Path, out: str, wish: Quantisation) -> archspec.Bundle:
    with steps_here():
        return archspec.build(
            folder / "wide.yaml", folder / out, weights=folder / "w.safetensors", quantise=wish, cache=False
        )


def rounded(x: np.ndarray) -> np.ndarray:
    """Each block of 32 numbers in whole steps of a 127th of its largest."""
    blocks = x.astype(np.float64).reshape(len(x), -1, 32)
    step = np.abs(blocks).max(-1, keepdims=True) / 127
    return (np.rint(blocks / step) * step).reshape(x.shape)


@pytest.mark.parametrize("format", FORMATS)
def test_inputs_are_rounded_in_blocks_where_asked_for(folder: Path, format: str) -> None:
    wish = Quantisation(formats=(format,), evaluate=folder / "x.npz", round_inputs=True)
    made = build(folder, format.replace(":", "-"), wish)
    x = np.load(folder / "x.npz")["x"]
    graph, stored = bundled_spec(made.path / "spec.yaml").graph, float_arrays(made.path / "model.safetensors")
    as_they_are, coarse = (interpret(graph, {"x": one}, stored)["logits"] for one in (x, rounded(x)))
    found, exact = made.run({"x": x})["logits"], made.exactly().run({"x": x})["logits"]
    assert np.abs(found - coarse).max() < 1e-4
    assert np.abs(exact - as_they_are).max() < 1e-4
    assert np.abs(found - exact).max() > 1e-2
    # What runs is what was measured, beside the loss of the weights alone; the artifact itself is held to the integers.
    entry = made.manifest.quantised
    assert entry is not None
    floats = x.astype(np.float64) @ load_file(folder / "w.safetensors")["logits.weight"].T
    one, two = (np.exp(y) / np.exp(y).sum(-1, keepdims=True) for y in (floats, coarse))
    assert entry.rounding["onnx"].kl == pytest.approx((one * np.log(one / two)).sum(-1).mean(), rel=1e-2)
    assert entry.loss is not None
    assert entry.loss.kl != entry.rounding["onnx"].kl
    assert all(report.holds for report in verify_bundle(made))
    assert f"loss of onnx, inputs rounded: {entry.rounding['onnx']}" in made.summary()


def test_run_says_that_inputs_are_rounded(folder: Path) -> None:
    wish = Quantisation(formats=("int8:32",), evaluate=folder / "x.npz", round_inputs=True)
    made = build(folder, "said", wish)
    done = CliRunner().invoke(cli, ["run", str(made.path), "--inputs", str(folder / "x.npz")])
    assert done.exit_code == 0, done.output
    # Of what ran alone.
    lost = f"note: quantised weights, and onnx rounds what it multiplies: {made.manifest.rounded['onnx']}"
    assert [one for one in done.stderr.splitlines() if one.startswith("note: ")] == [lost]


def test_too_much_loss_by_rounded_inputs_is_refused(folder: Path) -> None:
    measured = build(folder, "measured", Quantisation(formats=("int8:32",), evaluate=folder / "x.npz"))
    assert measured.manifest.quantised is not None
    assert measured.manifest.quantised.loss is not None
    limit = f"kl={measured.manifest.quantised.loss.kl * 1.01}"
    wish = Quantisation(formats=("int8:32",), evaluate=folder / "x.npz", at_most=(limit,), round_inputs=True)
    with pytest.raises(SpecError) as raised:
        build(folder, "refused", wish)
    (found,) = raised.value.diagnostics
    assert found.code == "E634"
    assert found.message.startswith("`onnx` with rounded inputs loses too much: kl is ")
    assert not (folder / "refused").exists()


def test_rounded_inputs_need_inputs_to_measure_on(folder: Path) -> None:
    for wish in (Quantisation(formats=("int8",), round_inputs=True), Quantisation(round_inputs=True)):
        with pytest.raises(SpecError) as raised:
            build(folder, "refused", wish)
        assert [one.code for one in raised.value.diagnostics] == ["E632"]


@pytest.mark.slow
def test_openvino_rounds_too(folder: Path) -> None:
    pytest.importorskip("openvino")
    wish = Quantisation(formats=("int8:32",), evaluate=folder / "x.npz", round_inputs=True)
    with steps_here():
        made = archspec.build(
            folder / "wide.yaml", folder / "ov", weights=folder / "w.safetensors", targets=["openvino"], quantise=wish
        )
    x = np.load(folder / "x.npz")["x"]
    apart = np.abs(made.run({"x": x})["logits"] - made.exactly().run({"x": x})["logits"]).max()
    assert made.manifest.rounded.keys() == {"openvino"}
    assert apart < 1.0


def test_the_step_of_a_decoder_is_measured_as_generation_runs_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 50, size=(2, 9))
    np.savez(tmp_path / "ids.npz", ids=ids)
    spec = archspec.load(tmp_path / "tiny.yaml")
    drawn = {name: (0.4 * rng.normal(size=shape)).astype("f") for name, shape in parameter_shapes(spec.graph).items()}
    save_file(drawn, tmp_path / "w.safetensors")
    wish = Quantisation(formats=("int8:16",), evaluate=tmp_path / "ids.npz", round_inputs=True)
    with steps_here():
        made = archspec.build(
            tmp_path / "tiny.yaml", tmp_path / "out", weights=tmp_path / "w.safetensors", quantise=wish, cache=False
        )
    losses = made.manifest.rounded
    assert losses.keys() == {"onnx", step_of("onnx")}
    steps, floats = decoder(made), interpret(spec.graph, {"ids": ids}, drawn)["logits"]
    found = np.stack([_last(steps, ids[:, : at + 1]) for at in range(ids.shape[1])], axis=1)
    one, two = (np.exp(y.astype(float)) / np.exp(y.astype(float)).sum(-1, keepdims=True) for y in (floats, found))
    assert losses[step_of("onnx")].kl == pytest.approx((one * np.log(one / two)).sum(-1).mean(), rel=1e-3)
    assert made.manifest.quantised is not None
    assert made.manifest.quantised.loss is not None
    # The loss of the weights alone is less: every product of the step rounds what it multiplies, the head's too.
    assert losses[step_of("onnx")].kl > 1.05 * made.manifest.quantised.loss.kl
    assert not (made.path / ".floats").exists()
    # What ran is named, and its loss alone; the module rounds nothing that it multiplies.
    one, weights = step_of("onnx"), made.manifest.quantised.loss
    for more, lost in (([], f", and {one} rounds what it multiplies: {losses[one]}"), (["module"], f": {weights}")):
        artifact = [part for name in more for part in ("--artifact", name)]
        done = CliRunner().invoke(cli, ["generate", str(made.path), "--prompt-ids", "3,4", "--max-new", "2", *artifact])
        assert done.exit_code == 0, done.output
        notes = [one for one in done.stderr.splitlines() if one.startswith("note: ")]
        assert notes == [f"note: quantised weights{lost}"]


def _last(steps: Decoder, ids: np.ndarray) -> np.ndarray:
    """The scores [rows, classes] after these ids, which generation feeds at once."""
    (first, *_) = steps.stream(ids.tolist(), max_new=1)
    return first.logits.numpy()


@pytest.mark.parametrize(
    ("formats", "more", "target"),
    [
        (("int8:32",), {}, "inductor"),
        ((), {"kv_cache": "int8", "calibrate": "ids.npz"}, "onnx"),
    ],
    ids=["a runtime that has no such products", "floats alone"],
)
def test_what_nothing_rounds_is_refused(
    folder: Path, formats: tuple[str, ...], more: dict[str, str], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "tiny.yaml").write_text(TINY)
    np.savez(folder / "ids.npz", ids=np.ones((2, 9), np.int64))
    given = {name: Path(value) if name == "calibrate" else value for name, value in more.items()}
    wish = Quantisation(formats=formats, evaluate=Path("ids.npz"), round_inputs=True, **given)
    with pytest.raises(SpecError, match="no target multiplies them with quantised weights") as raised:
        archspec.build("tiny.yaml", "refused", targets=(target,), quantise=wish)
    assert [one.code for one in raised.value.diagnostics] == ["E632"]


def test_a_plan_that_rounds_no_values_takes_no_calibration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "plan.json").write_text('{"formats": {"logits.weight": "int8"}}')
    with pytest.raises(SpecError, match="nothing is rounded at measured scales"):
        build(folder, "refused", Quantisation(formats=("plan.json",), calibrate=Path("x.npz")))
