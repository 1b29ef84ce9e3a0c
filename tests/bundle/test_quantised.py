"""Bundles whose weights are integers: artifacts compute with them, they are stored once, and their loss is told."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

import archspec
from archspec.bundle.bundled_spec import PLAN, bundled_spec
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
from archspec.oracle.interpreter import interpret
from tests.bundle.test_steps import TINY
from tests.steps import steps_here

# Plans of 4 and of 8 bits at once, a bias, and a head that is tied to a table.
FORMATS = ("int4:16", "states.layers.*.feed_forward.up=int8")
ROWS, LENGTH = 3, 9
INTEGERS = (onnx.TensorProto.INT4, onnx.TensorProto.INT8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("quantised")
    (made / "tiny.yaml").write_text(TINY)
    np.savez(made / "ids.npz", ids=np.random.default_rng(0).integers(0, 50, size=(ROWS, LENGTH)))
    return made


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    """Weights of a size that makes scores differ: those of a fresh module are nearly alike."""
    rng, spec = np.random.default_rng(1), archspec.load(folder / "tiny.yaml")
    shapes = parameter_shapes(spec.graph)
    drawn = {name: (0.4 * rng.normal(size=shape)).astype("f") for name, shape in shapes.items()}
    save_file(drawn, folder / "w.safetensors")
    return folder / "w.safetensors"


def build(folder: Path, out: str, **options: Any) -> archspec.Bundle:
    with steps_here():
        return archspec.build(folder / "tiny.yaml", folder / out, cache=False, **options)


@pytest.fixture(scope="module")
def built(folder: Path, weights: Path) -> archspec.Bundle:
    return build(
        folder,
        "bundle",
        weights=weights,
        quantise=Quantisation(formats=FORMATS, evaluate=folder / "ids.npz", at_most=("kl=0.5",)),
    )


def initializers(path: Path) -> dict[int, list[onnx.TensorProto]]:
    found: dict[int, list[onnx.TensorProto]] = {}
    for one in onnx.load(path).graph.initializer:
        found.setdefault(one.data_type, []).append(one)
    return found


def test_module_and_artifacts_are_held_to_the_same_integers(built: archspec.Bundle) -> None:
    compared = {(one.artifact, one.reference) for one in built.report.trials}
    assert {("onnx", "module"), ("onnx", "interpreter"), (step_of("onnx"), "interpreter")} <= compared
    assert max(d.largest / max(1.0, d.scale) for one in built.report.trials for d in one.differences) < 1e-5
    assert all(report.holds for report in verify_bundle(built))


def test_the_file_holds_integers_of_four_and_eight_bits_and_the_table_once(built: archspec.Bundle) -> None:
    # In a step, one product gives queries, keys and values.
    for path, count in (("artifacts/onnx/model.onnx", 5), ("artifacts/step/onnx/model.onnx", 3)):
        found = initializers(built.path / path)
        assert len(found[onnx.TensorProto.INT4]) == 2 * count
        # Of the layers, `up` has eight bits; the table is one tensor for both its uses.
        shapes = sorted(tuple(sorted(one.dims)) for one in found[onnx.TensorProto.INT8])
        assert shapes == [(32, 32), (32, 32), (32, 50)]
        assert onnx.load(built.path / path).opset_import[0].version == 21
    assert built.manifest.artifacts[0].notes == [
        "opset 21 is the lowest with numbers of four and of eight bits in blocks"
    ]


def test_the_integers_of_the_file_are_those_of_the_weights(built: archspec.Bundle) -> None:
    stored = load_file(built.path / "model.safetensors")
    wanted = [one for name, one in stored.items() if one.dtype == np.int8 and one.shape != (50, 32)]
    found = [
        onnx.numpy_helper.to_array(one).astype(np.int8)
        for kind in INTEGERS
        for one in initializers(built.path / "artifacts/onnx/model.onnx")[kind]
    ]
    for one in wanted:
        assert any(one.shape == other.T.shape and (one == other.T).all() for other in found)


def test_one_integer_off_in_one_block_is_found(built: archspec.Bundle, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(built.path, tmp_path / "copy"))
    path = copy / "artifacts/onnx/model.onnx"
    model = onnx.load(path)
    four = next(one for one in model.graph.initializer if one.data_type == onnx.TensorProto.INT4)
    raw = bytearray(four.raw_data)
    raw[5] ^= 1
    four.raw_data = bytes(raw)
    onnx.save(model, path)
    interface = interface_of(bundled_spec(copy / "spec.yaml"))
    program = Program(
        source=copy / "model.py",
        module=class_name("tiny-decoder"),
        weights=copy / "model.safetensors",
        interface=interface,
    )
    trials = list(contest(target_of("onnx"), "float32", path, program, copy / "spec.yaml").trials())
    assert (
        max(d.largest / max(1.0, d.scale) for one in trials if isinstance(one, ParityTrial) for d in one.differences)
        > 1e-4
    )


def test_the_loss_is_that_of_the_integers(built: archspec.Bundle, folder: Path, weights: Path) -> None:
    spec, ids = archspec.load(folder / "tiny.yaml"), np.load(folder / "ids.npz")["ids"]
    floats = interpret(spec.graph, {"ids": ids}, load_file(weights))["logits"]
    stored = float_arrays(built.path / "model.safetensors")
    rounded = interpret(bundled_spec(built.path / "spec.yaml").graph, {"ids": ids}, stored)["logits"]
    one, two = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (floats, rounded))
    assert built.manifest.quantised is not None
    loss = built.manifest.quantised.loss
    assert loss is not None
    assert loss.positions == ROWS * LENGTH
    assert loss.kl == pytest.approx((one * np.log(one / two)).sum(-1).mean(), rel=1e-3)
    assert loss.kl > 1e-4
    assert loss.agreement == pytest.approx((floats.argmax(-1) == rounded.argmax(-1)).mean())
    right = np.take_along_axis(two[:, :-1], ids[:, 1:, None], -1)
    assert loss.perplexity is not None
    assert loss.perplexity[1] == pytest.approx(np.exp(-np.log(right).mean()), rel=1e-3)
    assert f"loss: {loss}" in built.summary()


def test_the_manifest_says_what_is_stored_how(built: archspec.Bundle) -> None:
    entry = built.manifest.quantised
    assert entry is not None
    assert entry.formats == json.loads((built.path / PLAN).read_text())["formats"]
    assert entry.formats["source.table"] == "int8"
    assert entry.formats["states.layers.*.feed_forward.up.weight"] == "int8"
    assert entry.formats["states.layers.*.attention.q.weight"] == "int4:16"
    assert not (built.path / ".floats").exists()
    assert entry.bytes == built.manifest.files["model.safetensors"].bytes < entry.float_bytes


def test_too_much_loss_is_refused_with_the_node_that_costs_most(folder: Path, weights: Path) -> None:
    # Only one node is rounded, so that it is known which costs most.
    alone = ("float", "states.layers.*.attention.v=int4:16")
    wish = Quantisation(formats=alone, evaluate=folder / "ids.npz", at_most=("kl=1e-9",))
    with pytest.raises(SpecError) as raised:
        build(folder, "lost", weights=weights, quantise=wish)
    (found,) = raised.value.diagnostics
    assert found.code == "E634"
    assert "`states.layers.*.attention.v.weight` alone: kl " in found.notes[0]
    assert "--keep states.layers.*.attention.v`" in (found.help or "")
    assert not (folder / "lost").exists()
    # What cannot be followed is not advised.
    ways: list[tuple[dict[str, Any], str]] = [
        ({"formats": ("int4:16",), "size": 18_000}, "`--size`"),
        ({"formats": (str(folder / PLAN),)}, f"in place of {PLAN}"),
    ]
    for more, advice in ways:
        (folder / PLAN).write_text('{"formats": {"states.layers.*.attention.v.weight": "int4:16"}}')
        with pytest.raises(SpecError) as raised:
            build(folder, "lost", weights=weights, quantise=replace(wish, **more))
        (found,) = raised.value.diagnostics
        assert (found.code, advice in (found.help or "")) == ("E634", True), found


@pytest.mark.parametrize(
    ("wish", "layout", "code"),
    [
        (Quantisation(keep=("source",)), "bundle", "E632"),
        (Quantisation(formats=("int8",), at_most=("kl=1",)), "bundle", "E632"),
        (Quantisation(evaluate=Path("ids.npz")), "bundle", "E632"),
        (Quantisation(formats=("int8",)), "genai", "E632"),
        (Quantisation(formats=("int8",), evaluate=Path("none.npz")), "bundle", "E703"),
        (Quantisation(formats=("int3",)), "bundle", "E630"),
        (Quantisation(formats=("none.json",)), "bundle", "E630"),
        (Quantisation(formats=("int8",), keep=("logit",)), "bundle", "E631"),
        ("float", "bundle", "E631"),
        ("=int8", "bundle", "E630"),
        ("int4:1048577", "bundle", "E630"),
        (Quantisation(formats=("quantised.json",), keep=("source",)), "bundle", "E632"),
        (Quantisation(formats=("int8",), at_most=("kl=-1",), evaluate=Path("ids.npz")), "bundle", "E635"),
        (Quantisation(formats=("int8",), at_most=("kl=1", "kl=2"), evaluate=Path("ids.npz")), "bundle", "E635"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(
    folder: Path, wish: Any, layout: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SpecError) as raised:
        build(folder, "refused", quantise=wish, layout=layout)
    assert [one.code for one in raised.value.diagnostics] == [code]


def test_the_command_of_the_manifest_builds_the_same_files_again(
    built: archspec.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(built.path, tmp_path / "copy"))
    monkeypatch.chdir(copy)
    with steps_here():
        done = CliRunner().invoke(cli, shlex.split(built.manifest.command)[1:])
    assert done.exit_code == 0, done.output
    again = archspec.open(tmp_path / "rebuilt")
    # The loss is not known of integers alone.
    assert again.manifest.quantised is not None
    assert again.manifest.quantised.loss is None
    names = [name for name in built.manifest.files if name.endswith((".onnx", ".safetensors", ".py", PLAN))]
    assert len(names) == 6
    assert {name: again.manifest.files[name] for name in names} == {name: built.manifest.files[name] for name in names}


def test_run_and_generate_repeat_the_loss(built: archspec.Bundle, tmp_path: Path) -> None:
    assert built.manifest.quantised is not None
    np.savez(tmp_path / "one.npz", ids=np.ones((1, 4), dtype=np.int64))
    runs = (
        ["run", str(built.path), "--inputs", str(tmp_path / "one.npz")],
        ["generate", str(built.path), "--prompt-ids", "3,4", "--max-new", "3"],
    )
    for arguments in runs:
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, done.output
        assert f"note: quantised weights: {built.manifest.quantised.loss}" in done.stderr


def test_the_summary_says_how_many_stay_floats(built: archspec.Bundle, folder: Path, weights: Path) -> None:
    entry = built.manifest.quantised
    assert entry is not None and entry.floats == []
    size = f"{entry.packed_bytes / 1e3:.3g} kB in artifacts; as floats {entry.float_bytes / 1e3:.3g} kB"
    assert f"  weights quantised: 5 as int4:16, 2 as int8; {size}\n" in built.summary()
    kept = build(folder, "kept", weights=weights, quantise=Quantisation(formats=("int8",), keep=("states",)))
    assert kept.manifest.quantised is not None
    assert kept.manifest.quantised.floats == sorted(set(entry.formats) - {"source.table"}, key=[*entry.formats].index)
    assert "  weights quantised: 1 as int8, 6 as floats; " in kept.summary()
    # `diff` says of two bundles what `build` has made of the same spec.
    done = CliRunner().invoke(cli, ["diff", str(built.path), str(kept.path)])
    assert done.exit_code == 0, done.output
    first, *lines, last = done.output.splitlines()
    assert first == f"{built.path / 'spec.yaml'} -> {kept.path / 'spec.yaml'}"
    formats = [one.partition(" in ")[0] for one in lines[:2]]
    assert formats == ["  weights: int4:16 -> float", "  weights: int8 -> float"]
    assert lines[2].endswith("; now not measured") and last.endswith("loads as it is")
    done = CliRunner().invoke(cli, ["diff", str(built.path), str(built.path), "--exit-code"])
    assert done.exit_code == 0 and "nothing changed in meaning" in done.output
    assert CliRunner().invoke(cli, ["diff", str(built.path), "gpt2", "--reduced"]).exit_code == 2


def test_a_bundle_in_place_of_a_spec_says_which_file_that_is(built: archspec.Bundle) -> None:
    for given in (str(built.path), built.path):
        with pytest.raises(SpecError) as raised:
            archspec.load(given)
        (found,) = raised.value.diagnostics
        assert (found.code, found.help) == (
            "E208",
            f"it is the folder of a bundle: did you mean `{built.path / 'spec.yaml'}`?",
        )


def test_labels_are_read_by_evaluate_alone(built: archspec.Bundle) -> None:
    given = {"ids": np.ones((1, 4), np.int64), "labels": np.ones((1, 4), np.int64)}
    with pytest.raises(SpecError) as raised:
        built.run(given)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E711", "unknown input `labels`")
    assert found.help == "leave it out: `--evaluate` alone reads `labels`, and runs the rows of its file one by one"


def test_integers_have_no_loss_and_no_original(built: archspec.Bundle, folder: Path) -> None:
    plan, original = (str(built.path / PLAN),), {"ids": np.ones((1, 4), dtype=np.int64), "logits": np.ones((1, 4, 50))}
    measured = Quantisation(formats=plan, evaluate=folder / "ids.npz")
    for more in ({"quantise": measured}, {"quantise": plan, "expect": original}):
        with pytest.raises(SpecError) as raised:
            build(folder, "refused", weights=built.path / "model.safetensors", **more)
        assert [one.code for one in raised.value.diagnostics] == ["E632"]


@pytest.mark.slow
def test_one_file_is_run_and_compiled_for_every_gpu_and_others_compute_with_its_integers(
    folder: Path, weights: Path
) -> None:
    pytest.importorskip("tensorrt_rtx")
    pytest.importorskip("openvino")
    from archspec.engines.network.digest import digest
    from archspec.engines.rtx.parsing import parse

    targets = ["onnx", "openvino", "tensorrt-rtx:sm86,sm89,sm120"]
    made = build(folder, "engines", weights=weights, quantise=FORMATS, targets=targets)
    compared = {one.artifact for one in made.report.trials}
    assert {"onnx", "openvino", step_of("openvino"), "network of tensorrt-rtx"} <= compared
    assert max(d.largest / max(1.0, d.scale) for one in made.report.trials for d in one.differences) < 1e-5
    # Four bits a weight are half of eight: an engine of floats would be larger than the module's weights.
    assert {entry.verified for entry in made.manifest.artifacts} == {"executed", "network-verified-cpu"}
    # The file that ONNX Runtime runs has the network of each engine, and that holds the integers of the weights.
    file = made.path / "artifacts/onnx/model.onnx"
    plan = parse(file, made.interface.inputs, made.interface.outputs).plan()
    engines = [entry.network for entry in made.manifest.artifacts if entry.target.startswith("tensorrt-rtx")]
    assert engines == [digest(plan)] * 3
    wanted = integers_as_bytes(one for one in load_file(made.path / "model.safetensors").values() if one.dtype == "i1")
    constants = [step for step in plan.steps if step.kind == "CONSTANT"]
    numbers = [(one.attributes["weights"], plan.wires[one.outputs[0]].shape) for one in constants]
    kept = integers_as_bytes(one.reshape(shape) for one, shape in numbers if one.dtype == np.int8)
    assert wanted == kept
    stored = initializers(file)
    inside = (onnx.numpy_helper.to_array(one) for kind in INTEGERS for one in stored[kind])
    assert wanted == integers_as_bytes(inside)


def integers_as_bytes(arrays: Iterable[np.ndarray]) -> set[tuple[tuple[int, ...], bytes]]:
    """Shapes and bytes of matrices, a byte each; a matrix and its transpose are alike."""
    both = (((one.shape, one.astype("i1").tobytes()), (one.T.shape, one.T.astype("i1").tobytes())) for one in arrays)
    return {min(one) for one in both}


@pytest.mark.parametrize(
    ("arrays", "code", "message"),
    [
        ({"ids": np.full((2, 9), 50)}, "E71", r"ids\[0, 0\]"),
        ({"ids": np.ones((2, 9), bool)}, "E71", "ids"),
        ({"id": np.zeros((2, 9), np.int64)}, "E71", "id"),
        ({"ids": np.zeros((0, 9), np.int64)}, "E633", "no rows"),
        ({"ids": np.array([[1] * 9, [99] * 9])}, "E71", "this is row 1 of the inputs to evaluate on"),
    ],
    ids=["ids out of range", "dtype", "name", "no rows", "a later row"],
)
def test_inputs_are_checked_before_anything_is_built(
    folder: Path, tmp_path: Path, arrays: dict[str, Any], code: str, message: str
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    stages = list[str]()
    with pytest.raises(SpecError, match=message) as raised:
        wish = Quantisation(formats=("int8",), evaluate=tmp_path / "x.npz")
        build(folder, "refused", quantise=wish, progress=lambda stage, fraction: stages.append(stage))
    assert all(one.code.startswith(code) for one in raised.value.diagnostics)
    assert stages == []


@pytest.mark.parametrize(
    ("labels", "limit", "message"),
    [
        (np.full((ROWS, LENGTH), 50), "kl=1", r"`labels\[0, 0\]` is 50, but there are 50 classes"),
        (np.full((ROWS, LENGTH), -1), "perplexity=1", "no right class is known"),
        (np.zeros((ROWS - 1, LENGTH), np.int64), "kl=1", rf"`labels` is int64\[{ROWS - 1}, {LENGTH}\]"),
    ],
    ids=["no class", "none known", "shape"],
)
def test_labels_that_cannot_be_right_are_refused(
    folder: Path, weights: Path, tmp_path: Path, labels: np.ndarray, limit: str, message: str
) -> None:
    np.savez(tmp_path / "x.npz", ids=np.load(folder / "ids.npz")["ids"], labels=labels)
    wish = Quantisation(formats=("int8",), evaluate=tmp_path / "x.npz", at_most=(limit,))
    with pytest.raises(SpecError, match=message) as raised:
        build(folder, "refused", weights=weights, quantise=wish)
    assert [one.code for one in raised.value.diagnostics] == ["E633"]


def test_scores_that_are_not_finite_have_no_loss(folder: Path, weights: Path) -> None:
    drawn = load_file(weights)
    drawn["states.layers.1.feed_forward.up.weight"] = np.full((32, 32), 3e38, np.float32)
    with pytest.raises(SpecError, match="scores of row 0 are not finite") as raised:
        build(folder, "refused", weights=drawn, quantise=Quantisation(formats=("int8",), evaluate=folder / "ids.npz"))
    assert [one.code for one in raised.value.diagnostics] == ["E633"]


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("source.table", lambda array: array.astype(np.int16), "E522"),
        ("source.table", lambda array: array.astype(np.float32) + np.float32(0.4), "E522"),
        ("states.layers.0.attention.q.weight", lambda array: np.full_like(array, 9), "E522"),
        ("source.table_scale", lambda array: np.full_like(array, np.nan), "E527"),
    ],
    ids=["two bytes", "floats", "beyond four bits", "a scale that is not finite"],
)
def test_integers_that_are_none_of_the_plan_are_refused(
    built: archspec.Bundle, tmp_path: Path, name: str, change: Any, code: str
) -> None:
    tensors = load_file(built.path / "model.safetensors")
    tensors[name] = change(tensors[name])
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(SpecError, match=f"`{name}`") as raised, steps_here():
        archspec.build(
            built.path / "spec.yaml",
            tmp_path / "out",
            weights=tmp_path / "w.safetensors",
            quantise=str(built.path / PLAN),
            cache=False,
        )
    assert [one.code for one in raised.value.diagnostics] == [code]
