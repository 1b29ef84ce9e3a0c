"""Bundles of decoders that keep eight bits of every number: scales, artifacts, the size of what is kept, refusals."""

from __future__ import annotations

import shlex
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

import archspec
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.quantising import Quantisation
from archspec.bundle.report import TOLERANCE, ParityTrial, step_of
from archspec.bundle.step_artifacts import OpenedSteps, opened_steps
from archspec.bundle.step_parity import step_contest
from archspec.bundle.verify import verify_bundle
from archspec.checking import accepted
from archspec.cli import cli
from archspec.diagnostics import SpecError
from archspec.engines.program import Program
from archspec.engines.registry import target_of
from archspec.layouts.parameters import parameter_shapes
from archspec.lower.naming import class_name
from archspec.lower.step_programs import step_programs
from archspec.model.ports import interface_of
from tests.bundle.test_steps import TINY
from tests.steps import steps_here

ROWS, LENGTH, LAYERS, GROUPS, FEATURES = 3, 9, 2, 2, 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, rng = tmp_path_factory.mktemp("caches"), np.random.default_rng(0)
    (made / "tiny.yaml").write_text(TINY)
    np.savez(made / "ids.npz", ids=rng.integers(0, 50, size=(ROWS, LENGTH)))
    np.savez(made / "others.npz", ids=rng.integers(0, 50, size=(ROWS, LENGTH)))
    shapes = parameter_shapes(archspec.load(made / "tiny.yaml").graph)
    drawn = {name: (0.4 * rng.normal(size=shape)).astype("f") for name, shape in shapes.items()}
    save_file(drawn, made / "w.safetensors")
    return made


def build(folder: Path, out: str, **options: Any) -> archspec.Bundle:
    with steps_here():
        return archspec.build(
            folder / "tiny.yaml", folder / out, cache=False, weights=folder / "w.safetensors", **options
        )


@pytest.fixture(scope="module")
def built(folder: Path) -> archspec.Bundle:
    wish = Quantisation(kv_cache="int8", calibrate=folder / "ids.npz", evaluate=folder / "others.npz")
    return build(folder, "bundle", quantise=wish)


def step_file(folder: Path) -> Path:
    return folder / "artifacts/step/onnx/model.onnx"


def test_the_step_is_held_to_the_full_forward_that_rounds_the_same(built: archspec.Bundle) -> None:
    compared = {(one.artifact, one.reference) for one in built.report.trials}
    assert {("onnx", "module"), ("onnx", "interpreter"), (step_of("onnx"), "interpreter")} <= compared
    assert max(d.largest / max(1.0, d.scale) for one in built.report.trials for d in one.differences) < 1e-5
    assert all(report.holds for report in verify_bundle(built))


def test_scales_are_those_of_the_largest_keys_and_values(built: archspec.Bundle, folder: Path) -> None:
    module, found = archspec.compile(folder / "tiny.yaml").eval(), load_file(built.path / "model.safetensors")
    module.load_state_dict({name: torch.tensor(array) for name, array in load_file(folder / "w.safetensors").items()})
    given: dict[str, np.ndarray] = {}
    for path in (f"states.layers.{layer}.attention.{name}" for layer in range(LAYERS) for name in "kv"):
        keep = partial(lambda name, one, args, result: given.update({name: result.numpy()}), path)
        module.get_submodule(path).register_forward_hook(keep)
    with torch.no_grad():
        module(torch.tensor(np.load(folder / "ids.npz")["ids"]))
    for path, values in given.items():
        largest = np.abs(values.reshape(ROWS, LENGTH, GROUPS, FEATURES)).max((0, 1))
        np.testing.assert_allclose(found[f"{path}_kept.scale"][:, 0], largest / 127, rtol=1e-5)
    assert len(given) == 2 * LAYERS


def test_what_is_kept_takes_a_quarter_of_the_bytes(built: archspec.Bundle) -> None:
    opened = opened_steps(built, accepted(bundled_spec(built.path / "spec.yaml")), "onnx")
    assert isinstance(opened, OpenedSteps)
    cache = opened.steps.new_cache(ROWS, 32, {}, {"batch": ROWS, "length": 32})
    opened.steps.run({"ids": np.ones((ROWS, 32), np.int64)}, cache, np.full(ROWS, 32))
    bytes_ = sum(array.nbytes for array in cache.parts.values())
    assert bytes_ == 2 * LAYERS * ROWS * GROUPS * FEATURES * 32
    assert any(array.any() for array in cache.parts.values())


def test_attention_of_the_runtime_reads_the_integers(built: archspec.Bundle) -> None:
    model = onnx.load(step_file(built.path))
    found = [node for node in model.graph.node if node.op_type == "GroupQueryAttention"]
    assert len(found) == LAYERS
    assert all(
        one.s == b"PER_CHANNEL"
        for node in found
        for one in node.attribute
        if one.name in ("k_quant_type", "v_quant_type")
    )
    kept = {one.name for one in model.graph.input if one.type.tensor_type.elem_type == onnx.TensorProto.INT8}
    assert len(kept) == 2 * LAYERS


@pytest.mark.parametrize("which", [0, -1], ids=["the first scale", "the last one"])
def test_one_scale_off_is_found(built: archspec.Bundle, tmp_path: Path, which: int) -> None:
    copy = Path(shutil.copytree(built.path, tmp_path / "copy"))
    model = onnx.load(step_file(copy))
    scales = [one for one in model.graph.initializer if list(one.dims) == [GROUPS, 1, FEATURES]]
    assert len(scales) == 2 * LAYERS
    array = onnx.numpy_helper.to_array(scales[which]).copy()
    array[1, 0, 3] *= 3
    scales[which].CopyFrom(onnx.numpy_helper.from_array(array, scales[which].name))
    onnx.save(model, step_file(copy))
    spec = copy / "spec.yaml"
    whole = Program(
        source=copy / "model.py",
        module=class_name("tiny-decoder"),
        weights=copy / "model.safetensors",
        interface=interface_of(bundled_spec(spec)),
    )
    contest = step_contest(target_of("onnx"), "float32", {"step": step_file(copy)}, whole, spec)
    (trial,) = (one for one in contest.trials() if isinstance(one, ParityTrial))
    assert max(one.largest / max(1.0, one.scale) for one in trial.differences) > TOLERANCE["float32"]


def test_the_loss_is_measured_and_told(built: archspec.Bundle) -> None:
    entry = built.manifest.quantised
    assert entry is not None
    assert (entry.kv_cache, entry.formats) == ("int8", {})
    assert entry.calibration is not None
    assert entry.loss is not None
    assert 1e-7 < entry.loss.kl < 0.05
    assert "cache rounded to int8, calibrated on ids.npz" in built.summary()


def test_the_command_of_the_manifest_builds_the_same_files_again(
    built: archspec.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(built.path, tmp_path / "moved"))
    words = shlex.split(built.manifest.command)
    with steps_here():
        result = CliRunner().invoke(cli, [*words[1:], "--no-cache"])
    assert result.exit_code == 0, result.output
    for name in ("artifacts/onnx/model.onnx", "artifacts/step/onnx/model.onnx", "model.safetensors", "quantised.json"):
        assert (tmp_path / "rebuilt" / name).read_bytes() == (built.path / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("target", "mask", "layers"), [("openvino", "last(5)", 2), ("inductor", "causal", 1)])
def test_other_runtimes_and_rings(folder: Path, target: str, mask: str, layers: int, tmp_path: Path) -> None:
    """One layer is enough for inductor, which compiles each on its own, and takes as long for each."""
    text = TINY.replace("mask: causal", f"mask: {mask}").replace("layers: 2", f"layers: {layers}")
    (tmp_path / "ring.yaml").write_text(text)
    given, wanted = load_file(folder / "w.safetensors"), parameter_shapes(archspec.load(tmp_path / "ring.yaml").graph)
    wish = Quantisation(formats=("int8",), kv_cache="int8", calibrate=folder / "ids.npz")
    with steps_here():
        found = archspec.build(
            tmp_path / "ring.yaml",
            tmp_path / "ring",
            weights={name: given[name] for name in wanted},
            targets=(target,),
            quantise=wish,
        )
    (trial,) = (one for one in found.report.trials if one.artifact == step_of(target))
    assert max(one.largest / max(1.0, one.scale) for one in trial.differences) < 1e-5


@pytest.mark.parametrize(
    ("wish", "options", "message"),
    [
        ({}, {}, "without inputs to calibrate on"),
        ({"calibrate": "ids.npz"}, {"targets": ("tensorrt-rtx:sm89",)}, "cannot be combined with `tensorrt-rtx`"),
        ({"calibrate": "ids.npz"}, {"layout": "triton"}, "cannot be combined with the layout `triton`"),
        ({"calibrate": "ids.npz"}, {"layout": "genai"}, "cannot be combined with the layout `genai`"),
        ({"calibrate": "ids.npz"}, {"dtype": "float16"}, "cannot be combined with float16"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(
    folder: Path, wish: dict[str, Any], options: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    given = {name: Path(value) for name, value in wish.items()}
    with pytest.raises(SpecError, match=message) as raised:
        build(folder, "refused", quantise=Quantisation(kv_cache="int8", **given), **options)
    assert [one.code for one in raised.value.diagnostics] == ["E632"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("deepseek-v3", "keeps nothing that the full forward has"), ("vit-b16", "the spec does not decode")],
)
def test_what_has_no_such_cache_is_refused(folder: Path, name: str, message: str) -> None:
    wish = Quantisation(kv_cache="int8", calibrate=folder / "ids.npz")
    with pytest.raises(SpecError, match=message):
        archspec.build(accepted(name, reduced=True), folder / "refused", quantise=wish)


def test_inputs_that_are_not_finite_give_no_scale(folder: Path) -> None:
    drawn = load_file(folder / "w.safetensors")
    drawn["states.layers.1.attention.k.weight"] = np.full((16, 32), 3e38, np.float32)
    wish = Quantisation(kv_cache="int8", calibrate=folder / "ids.npz")
    with pytest.raises(SpecError) as raised, steps_here():
        archspec.build(folder / "tiny.yaml", folder / "refused", weights=drawn, quantise=wish)
    assert [one.code for one in raised.value.diagnostics] == ["E633"]


def test_the_steps_of_the_spec_keep_integers(built: archspec.Bundle) -> None:
    programs = step_programs(accepted(bundled_spec(built.path / "spec.yaml")))
    assert programs is not None
    assert {str(one.type.dtype) for one in programs.found.state} == {"int8"}


def test_too_much_loss_names_the_cache(folder: Path) -> None:
    wish = Quantisation(
        kv_cache="int8", calibrate=folder / "ids.npz", evaluate=folder / "others.npz", at_most=("kl=1e-12",)
    )
    with pytest.raises(SpecError) as raised:
        build(folder, "refused", quantise=wish)
    (found,) = raised.value.diagnostics
    assert found.code == "E634"
    assert any(
        note.startswith("`what states.layers.*.attention.") and "holds` alone: kl " in note for note in found.notes
    )
    assert found.help == "calibrate on more rows, or leave `--kv-cache` out"


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_scales_that_are_not_above_zero_are_refused(built: archspec.Bundle, tmp_path: Path, value: float) -> None:
    tensors = load_file(built.path / "model.safetensors")
    tensors["states.layers.0.attention.k_kept.scale"][1, 0, 2] = value
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(SpecError, match=r"k_kept\.scale") as raised, steps_here():
        archspec.build(
            built.path / "spec.yaml",
            tmp_path / "out",
            weights=tmp_path / "w.safetensors",
            quantise=str(built.path / "quantised.json"),
            cache=False,
        )
    assert [one.code for one in raised.value.diagnostics] == ["E527"]
