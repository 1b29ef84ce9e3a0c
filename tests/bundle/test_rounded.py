"""Bundles whose products read rounded values: artifacts compute with the same numbers, and scales are measured once."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

import archspec
from archspec.bundle.bundled_spec import PLAN, bundled_spec
from archspec.bundle.calibrating import measured_scales
from archspec.bundle.parity import contest, float_arrays
from archspec.bundle.quantising import Quantisation
from archspec.bundle.report import ParityTrial, step_of
from archspec.bundle.verify import verify_bundle
from archspec.cli import cli
from archspec.diagnostics import SpecError
from archspec.engines.program import Program
from archspec.engines.registry import target_of
from archspec.layouts.parameters import parameter_shapes
from archspec.lower.naming import class_name
from archspec.model.ports import interface_of
from archspec.model.samples import sample
from archspec.model.sizes import odd
from archspec.oracle.interpreter import interpret
from archspec.passes.expose import expose
from tests.bundle.test_steps import TINY
from tests.mutation.shipped import left_to_long
from tests.steps import steps_here

ROWS, LENGTH = 4, 9
UP = "states.layers.*.feed_forward.up"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rounded")
    (made / "tiny.yaml").write_text(TINY)
    rng, spec = np.random.default_rng(0), archspec.load(made / "tiny.yaml")
    np.savez(made / "ids.npz", ids=rng.integers(0, 50, size=(ROWS, LENGTH)))
    shapes = parameter_shapes(spec.graph)
    drawn = {name: (0.3 * rng.normal(size=shape)).astype("f") for name, shape in shapes.items()}
    save_file(drawn, made / "w.safetensors")
    return made


def wish(folder: Path, **more: Any) -> Quantisation:
    return Quantisation(**{"formats": ("int8",), "activations": ("int8",), "calibrate": folder / "ids.npz", **more})


def build(folder: Path, out: str, **options: Any) -> archspec.Bundle:
    with steps_here():
        return archspec.build(folder / "tiny.yaml", folder / out, **{"cache": False, **options})


@pytest.fixture(scope="module")
def built(folder: Path) -> archspec.Bundle:
    asked = wish(folder, keep=("states.layers.*.attention.k",), evaluate=folder / "ids.npz", at_most=("kl=0.5",))
    return build(folder, "bundle", weights=folder / "w.safetensors", quantise=asked)


def test_artifacts_and_the_step_are_held_to_the_same_numbers(built: archspec.Bundle) -> None:
    compared = {(one.artifact, one.reference) for one in built.report.trials}
    assert {("onnx", "module"), ("onnx", "interpreter"), (step_of("onnx"), "interpreter")} <= compared
    whole = [d for one in built.report.trials if one.artifact == "onnx" for d in one.differences]
    # On inputs of which no number lies half-way between two, the bound is that of floats.
    settled = [d for d in whole if d.rounding == 0.0]
    assert settled
    assert max(d.largest / max(1.0, d.scale) for d in settled) < 1e-5
    assert all(report.holds for report in verify_bundle(built))


def test_the_file_rounds_with_the_measured_scales(built: archspec.Bundle, folder: Path) -> None:
    model = onnx.load(built.path / "artifacts/onnx/model.onnx")
    nodes = [one for one in model.graph.node if one.op_type == "QuantizeLinear"]
    # In each of two layers: what q and v read, out, up and down; and what the head reads. k reads floats.
    assert len(nodes) == 2 * 4 + 1
    held = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    stored = load_file(built.path / "model.safetensors")
    wanted = sorted(float(one) for name, one in stored.items() if name.endswith("_input.scale"))
    assert sorted(float(held[one.input[1]]) for one in nodes) == wanted
    assert len({*wanted}) == 9
    # What the head reads, by the interpreter on floats: at most its largest value is the end of the grid.
    spec, ids = archspec.load(folder / "tiny.yaml"), np.load(folder / "ids.npz")["ids"]
    floats = load_file(folder / "w.safetensors")
    exposed, _ = expose(spec.graph, "states", "states")
    normed = interpret(exposed, {"ids": ids}, floats)["states"]
    assert 0.2 * np.abs(normed).max() / 127 < stored["logits_input.scale"] <= 1.0001 * np.abs(normed).max() / 127


def test_a_scale_that_is_off_is_found(built: archspec.Bundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(built.path, tmp_path / "copy"))
    path = copy / "artifacts/onnx/model.onnx"
    model = onnx.load(path)
    name = next(one.input[1] for one in model.graph.node if one.op_type == "QuantizeLinear")
    scale = next(one for one in model.graph.initializer if one.name == name)
    scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * np.float32(1.01), name))
    onnx.save(model, path)
    program = Program(
        source=copy / "model.py",
        module=class_name("tiny-decoder"),
        weights=copy / "model.safetensors",
        interface=interface_of(bundled_spec(copy / "spec.yaml")),
    )
    trials = list(contest(target_of("onnx"), "float32", path, program, copy / "spec.yaml").trials())
    made = [d for one in trials if isinstance(one, ParityTrial) for d in one.differences]
    assert any(not d.allowed("float32") for d in made)


def test_the_manifest_and_the_summary_say_what_is_rounded(built: archspec.Bundle) -> None:
    entry = built.manifest.quantised
    assert entry is not None
    assert entry.activations == json.loads((built.path / PLAN).read_text())["activations"]
    assert entry.activations[UP] == "int8"
    assert "states.layers.*.attention.k" not in entry.activations
    assert "states.layers.*.attention.k.weight" not in entry.formats
    assert entry.calibration is not None
    assert entry.calibration.data == "ids.npz"
    assert "activations rounded: 6 to int8, calibrated on ids.npz" in built.summary()
    assert entry.loss is not None
    assert not (built.path / ".floats").exists()


def test_the_loss_counts_rounded_values(built: archspec.Bundle, folder: Path) -> None:
    ids = np.load(folder / "ids.npz")["ids"]
    floats = interpret(archspec.load(folder / "tiny.yaml").graph, {"ids": ids}, load_file(folder / "w.safetensors"))
    stored = float_arrays(built.path / "model.safetensors")
    rounded = interpret(bundled_spec(built.path / "spec.yaml").graph, {"ids": ids}, stored)
    one, two = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (floats["logits"], rounded["logits"]))
    assert built.manifest.quantised is not None
    assert built.manifest.quantised.loss is not None
    wanted = (one * np.log(one / two)).sum(-1).mean()
    # One number that goes the other way in float32 moves the mean by less than this.
    assert built.manifest.quantised.loss.kl == pytest.approx(wanted, rel=0.05)


def test_the_command_of_the_manifest_builds_the_same_files_again(
    built: archspec.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(built.path, tmp_path / "copy"))
    monkeypatch.chdir(copy)
    with steps_here():
        done = CliRunner().invoke(cli, shlex.split(built.manifest.command)[1:])
    assert done.exit_code == 0, done.output
    again = archspec.open(tmp_path / "rebuilt")
    names = [name for name in built.manifest.files if name.endswith((".onnx", ".safetensors", ".py", PLAN))]
    assert {name: again.manifest.files[name] for name in names} == {name: built.manifest.files[name] for name in names}
    assert again.manifest.quantised is not None
    assert again.manifest.quantised.activations == built.manifest.quantised.activations  # type: ignore[union-attr]
    assert again.manifest.quantised.calibration is None


def test_too_much_loss_names_what_reads_rounded_values(folder: Path) -> None:
    alone = wish(
        folder,
        formats=("float", "states.layers.*.attention.v=int8"),
        activations=("float", f"{UP}=int8"),
        evaluate=folder / "ids.npz",
        at_most=("kl=1e-9",),
    )
    with pytest.raises(SpecError) as raised:
        build(folder, "lost", weights=folder / "w.safetensors", quantise=alone)
    (found,) = raised.value.diagnostics
    assert found.code == "E634"
    assert any(note.startswith(f"`what {UP} reads` alone: kl ") for note in found.notes)


@pytest.mark.parametrize(
    ("more", "options", "code"),
    [
        ({"calibrate": None}, {}, "E632"),
        ({"activations": ()}, {}, "E632"),
        ({"formats": ()}, {}, "E632"),
        ({"calibrate": Path("none.npz")}, {}, "E703"),
        ({"activations": ("int7",)}, {}, "E630"),
        ({"activations": ("states.final_norm=int8",)}, {}, "E631"),
        ({}, {"dtype": "float16"}, "E632"),
        ({"activations": ("fp8",)}, {}, "E632"),
        ({"formats": ("fp8",), "activations": ("fp8",), "evaluate": Path("ids.npz"), "size": 9000}, {}, "E632"),
        ({"formats": ("fp8",), "activations": ("fp8",)}, {"targets": ["openvino", "onnx"]}, "E603"),
        ({"formats": ("fp8",), "activations": ("fp8",)}, {"targets": ["tensorrt-rtx:sm86,sm89"]}, "E603"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(
    folder: Path, more: dict[str, Any], options: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorrt_rtx")
    pytest.importorskip("openvino")
    monkeypatch.chdir(folder)
    with pytest.raises(SpecError) as raised:
        build(folder, "refused", quantise=wish(folder, **more), **options)
    assert [one.code for one in raised.value.diagnostics] == [code]


def test_inputs_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    spec = archspec.load("vit-b16", reduced=True)
    arrays = sample(interface_of(spec), odd(interface_of(spec).symbols), 0)
    arrays["pixels"][1, 0, 3, 3] = np.nan
    np.savez(tmp_path / "c.npz", **arrays)
    nowhere = Program(source=Path(), module="", weights=Path(), interface=interface_of(spec))
    with pytest.raises(SpecError) as raised:
        measured_scales(nowhere, tmp_path / "c.npz", "c.npz")
    assert [one.code for one in raised.value.diagnostics] == ["E633"]


CLIPPED = """
archspec: 1
name: clipped
dims: {batch: [1, 2, 4]}
inputs: {x: "float[batch, 16]"}
graph:
  y: [{block: linear, input: x, dim: 16}, {block: activation, kind: relu}, {block: linear, dim: 5}]
  z: [{block: linear, input: x, dim: 16}, {block: activation, kind: relu6}, {block: linear, dim: 5}]
outputs: {y: "float[batch, 5]", z: "float[batch, 5]"}
"""


def test_what_cuts_off_before_it_is_rounded_stays(tmp_path: Path) -> None:
    """A runtime may join both; for numbers of float8 it would do so wrongly."""
    (tmp_path / "clipped.yaml").write_text(CLIPPED)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "c.npz", x=3 * rng.normal(size=(4, 16)))
    spec = archspec.load(tmp_path / "clipped.yaml")
    drawn = {n: rng.normal(size=s).astype("f") for n, s in parameter_shapes(spec.graph).items()}
    save_file(drawn, tmp_path / "w.safetensors")
    eights = Quantisation(formats=("fp8",), activations=("fp8",), calibrate=tmp_path / "c.npz")
    with steps_here():
        made = archspec.build(spec, tmp_path / "out", weights=tmp_path / "w.safetensors", cache=False, quantise=eights)
    assert max(d.largest / max(1.0, d.scale) - d.rounding for one in made.report.trials for d in one.differences) < 1e-5


def test_zeros_alone_are_no_calibration(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "clipped.yaml").write_text(CLIPPED)
    np.savez(tmp_path / "zeros.npz", x=np.zeros((4, 16), "f"))
    asked = wish(folder, calibrate=tmp_path / "zeros.npz")
    with steps_here(), pytest.raises(SpecError) as raised:
        archspec.build(tmp_path / "clipped.yaml", tmp_path / "out", cache=False, quantise=asked)
    (found,) = raised.value.diagnostics
    assert (found.code, "nothing but zeros" in found.message) == ("E633", True)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["int8", "fp8"])
@pytest.mark.parametrize("name", ["vit-b16", "gpt2", *left_to_long("bert-base")])
def test_engines_are_built_and_their_networks_compute_the_same_numbers(name: str, format: str, tmp_path: Path) -> None:
    """Products of an encoder read what those of a decoder and of a ViT read: norms, activations and values."""
    pytest.importorskip("tensorrt_rtx")
    # Two layers are tried with `int8`: formats change no more than how a number is stored.
    spec = archspec.load(name, reduced=True, set=["layers=1"] if format == "fp8" else [])
    interface = interface_of(spec)
    np.savez(tmp_path / "c.npz", **sample(interface, odd(interface.symbols), 3))
    rng = np.random.default_rng(2)
    drawn = {n: (0.2 * rng.normal(size=s)).astype("f") for n, s in parameter_shapes(spec.graph).items()}
    save_file(drawn, tmp_path / "w.safetensors")
    with steps_here():
        made = archspec.build(
            spec,
            tmp_path / "out",
            weights=tmp_path / "w.safetensors",
            cache=False,
            targets=["tensorrt-rtx:sm89,sm120"],
            quantise=Quantisation(formats=(format,), activations=(format,), calibrate=tmp_path / "c.npz"),
        )
    assert {entry.verified for entry in made.manifest.artifacts} == {"network-verified-cpu"}
    # Networks that round are computed in float64, where no number goes the other way.
    assert max(d.largest / max(1.0, d.scale) for one in made.report.trials for d in one.differences) < 1e-7
    assert all(one.layers["quantize"] > 0 for one in made.report.networks)
