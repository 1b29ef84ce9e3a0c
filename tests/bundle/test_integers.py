"""Artifacts hold every integer of the weights: one that is off is found where no trial reads it, or shows it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

import archspec
from archspec.bundle.bundled_spec import bundled_spec
from archspec.bundle.inspection import Inspection
from archspec.bundle.integers import CLAIM, check_part, integers_apart
from archspec.bundle.parity import SEED
from archspec.bundle.quantising import Quantisation
from archspec.bundle.sources import whole_program
from archspec.bundle.step_work import check_together
from archspec.bundle.verify import verify_bundle
from archspec.bundle.worker import compare
from archspec.contract.report import Finding
from archspec.diagnostics import SpecError
from archspec.engines.process import Stage, StageOutcome
from archspec.layouts.parameters import parameter_shapes
from archspec.model.ports import interface_of
from archspec.model.samples import sample
from archspec.model.sizes import minimum, odd, typical
from tests.bundle.test_steps import TINY
from tests.steps import steps_here

WHOLE, STEP = "artifacts/onnx/model.onnx", "artifacts/step/onnx/model.onnx"
VOCABULARY = 400
KINDS = (onnx.TensorProto.INT4, onnx.TensorProto.INT8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("integers")
    (made / "tiny.yaml").write_text(TINY.replace("50", str(VOCABULARY)))
    rng, spec = np.random.default_rng(0), archspec.load(made / "tiny.yaml")
    np.savez(made / "ids.npz", ids=rng.integers(0, VOCABULARY, size=(4, 9)))
    shapes = parameter_shapes(spec.graph)
    save_file(
        {name: (0.3 * rng.normal(size=shape)).astype("f") for name, shape in shapes.items()}, made / "w.safetensors"
    )
    return made


WISHES: dict[str, dict[str, Any]] = {
    # Of four and of eight bits, so that some products of a step are joined and others are not.
    "four": {"formats": ("int4:16", "states.layers.*.feed_forward.up=int8")},
    "activations": {"formats": ("int8",), "activations": ("int8",)},
    "eight": {"formats": ("int8",)},
}


@pytest.fixture(scope="module", params=["four", "activations"])
def built(folder: Path, request: pytest.FixtureRequest) -> archspec.Bundle:
    return build(folder, request.param, request.param)


def build(folder: Path, out: str, wish: str, target: str = "onnx") -> archspec.Bundle:
    calibrate = folder / "ids.npz" if "activations" in WISHES[wish] else None
    with steps_here():
        return archspec.build(
            folder / "tiny.yaml",
            folder / out,
            weights=folder / "w.safetensors",
            quantise=Quantisation(**WISHES[wish], calibrate=calibrate),
            targets=[target],
            cache=False,
        )


def apart(bundle: archspec.Bundle, file: Path) -> list[str] | None:
    graph = bundled_spec(bundle.path / "spec.yaml").graph
    return integers_apart([file], graph, bundle.path / "model.safetensors", "float32")


def mutants(path: Path, to: Path) -> Iterator[str]:
    """Write the file with one number of one tensor of integers or of scales off; yields the name of the tensor."""
    whole = path.read_bytes()
    graph = onnx.load_from_string(whole).graph
    read = {node.input[1] for node in graph.node if node.op_type == "DequantizeLinear" and "input" not in node.input[1]}
    names = [one.name for one in graph.initializer if _is_integers(one) or one.name in {*read, "source.table_scale"}]
    for number, name in enumerate(names):
        model = onnx.load_from_string(whole)
        tensor = next(one for one in model.graph.initializer if one.name == name)
        array = onnx.numpy_helper.to_array(tensor).copy()
        flat = array.reshape(-1)
        place = number * 7919 % flat.size
        if array.dtype == np.float32:
            flat[place] *= np.float32(1.0001)
        else:
            flat[place] = np.array(int(flat[place]) + (1 if int(flat[place]) <= 0 else -1)).astype(array.dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))
        to.write_bytes(model.SerializeToString())
        yield name


def _is_integers(one: onnx.TensorProto) -> bool:
    return one.data_type in KINDS and len(one.dims) > 1


@pytest.mark.parametrize("part", [WHOLE, STEP])
def test_one_number_off_in_any_tensor_is_found(built: archspec.Bundle, part: str, tmp_path: Path) -> None:
    assert apart(built, built.path / part) == []
    names = list[str]()
    for name in mutants(built.path / part, tmp_path / "mutant.onnx"):
        names.append(name)
        found = apart(built, tmp_path / "mutant.onnx") or []
        # Of queries, keys and values that are joined, none is found any more.
        assert found[:1] == [name]
        assert len(found) == (4 if ".packed." in name else 1), found
    # Two layers of six maps and the table, with scales, those of the table twice; a step joins three maps.
    assert len(names) == (27 if part == WHOLE else 19)
    assert sum(".packed." in name for name in names) == (0 if part == WHOLE else 4)


def undrawn(bundle: archspec.Bundle) -> int:
    """The first id that no trial of the build draws."""
    interface = interface_of(bundled_spec(bundle.path / "spec.yaml"))
    points = (choose(interface.symbols) for choose in (minimum, odd, typical))
    drawn = {int(one) for sizes in points for one in sample(interface, sizes, SEED)["ids"].reshape(-1)}
    return min(set(range(VOCABULARY)) - drawn)


def without_row(bundle: archspec.Bundle, path: Path, row: int) -> None:
    model = onnx.load(path)
    tensor = next(one for one in model.graph.initializer if one.name == "source.table")
    array = onnx.numpy_helper.to_array(tensor).copy()
    # It is stored as the head reads it.
    rows = array if len(array) == VOCABULARY else array.T
    assert rows[row].any()
    rows[row] = 0
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    onnx.save(model, path)


def test_a_row_that_no_trial_draws_is_found_in_a_build(built: archspec.Bundle, tmp_path: Path) -> None:
    copy = archspec.open(shutil.copytree(built.path, tmp_path / "copy"))
    without_row(copy, copy.path / WHOLE, undrawn(copy))
    spec = bundled_spec(copy.path / "spec.yaml")
    program = whole_program(spec, ()).to_json()
    program = {key: str(copy.path / one) if key in ("source", "weights") else one for key, one in program.items()}
    job = {
        "engine": "onnx",
        "capabilities": [],
        "program": program,
        "dtype": "float32",
        "file": str(copy.path / WHOLE),
        "spec": str(copy.path / "spec.yaml"),
        "reference": None,
    }
    with pytest.raises(SpecError) as raised:
        compare(job)
    (found,) = raised.value.diagnostics
    assert (found.code, found.notes) == ("E609", ("in `source.table`",))
    assert compare({**job, "file": str(built.path / WHOLE)})["trials"]


def test_a_row_that_no_trial_draws_is_found_by_a_verification(built: archspec.Bundle, tmp_path: Path) -> None:
    copy = archspec.open(shutil.copytree(built.path, tmp_path / "copy"))
    assert {one.status for one in findings(copy)} == {"holds"}
    for part in (WHOLE, STEP):
        without_row(copy, copy.path / part, undrawn(copy))
    told = [one.detail for one in findings(copy) if one.status == "violated"]
    assert told == ["it has other numbers in `source.table`"] * 2


def findings(bundle: archspec.Bundle) -> list[Finding]:
    found = [one for report in verify_bundle(bundle) for one in report.findings if one.claim == CLAIM]
    assert len(found) == len(bundle.manifest.artifacts) + sum(len(one.artifacts) for one in bundle.manifest.programs)
    return found


@pytest.mark.slow
def test_one_byte_off_in_openvino_is_found(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    made = build(folder, "openvino", "four", "openvino")
    stored = load_file(made.path / "model.safetensors")
    for part in ("artifacts/openvino/model", "artifacts/step/openvino/model"):
        shutil.copy(made.path / f"{part}.xml", tmp_path / "model.xml")
        shutil.copy(made.path / f"{part}.bin", tmp_path / "model.bin")
        assert apart(made, tmp_path / "model.xml") == []
        whole = (tmp_path / "model.bin").read_bytes()
        for name in ("source.table", "source.table_scale", UP, f"{UP}_scale", Q):
            ways = (stored[name], stored[name].T)
            # Of two integers of four bits, the first is the lower half of a byte.
            packed = [pairs(way) if name == Q else np.ascontiguousarray(way).tobytes() for way in ways]
            place = max(whole.find(one) for one in packed)
            assert place >= 0, name
            changed = bytearray(whole)
            changed[place + 1] ^= 1
            (tmp_path / "model.bin").write_bytes(changed)
            assert apart(made, tmp_path / "model.xml") == [name]


UP, Q = "states.layers.1.feed_forward.up.weight", "states.layers.0.attention.q.weight"


def pairs(integers: np.ndarray) -> bytes:
    low, high = integers.reshape(-1, 2).astype(np.uint8).T & 15
    return (low | high << 4).astype(np.uint8).tobytes()


def edit(path: Path, to: Path, change: Callable[[onnx.GraphProto, onnx.TensorProto], None], name: str) -> None:
    """Write a file after a change of its graph and of the initializer of a name."""
    model = onnx.load(path)
    change(model.graph, next(one for one in model.graph.initializer if one.name == name))
    to.write_bytes(model.SerializeToString())


def test_equal_tensors_that_are_written_once_are_there(folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "w.safetensors")
    for layer in (0, 1):
        inner = f"states.layers.{layer}"
        weights[f"{inner}.attention.out.weight"][:] = 0
        weights[f"{inner}.feed_forward.down.weight"][:] = 0
        # Equal numbers, which a step joins, one after the other.
        weights[f"{inner}.attention.v.weight"] = weights[f"{inner}.attention.k.weight"]
    equal = folder / "equal"
    equal.mkdir()
    shutil.copy(folder / "tiny.yaml", equal)
    save_file(weights, equal / "w.safetensors")
    made = build(equal, "out", "eight")
    out, k = "states.layers.0.attention.out.weight", "states.layers.0.attention.k.weight"
    for part in (WHOLE, STEP):
        assert apart(made, made.path / part) == []
    names = {one.name for one in onnx.load(made.path / WHOLE).graph.initializer}
    lost = {name for name in parameter_shapes(archspec.load(folder / "tiny.yaml").graph) if name not in names}
    assert {name for name in lost if name.endswith(("v.weight", "out.weight", "down.weight"))}, names

    def off(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        array = onnx.numpy_helper.to_array(tensor).copy()
        array.reshape(-1)[5] -= 1
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))

    # One that is off stands for none of those that were equal to it.
    for name in (out, k):
        edit(made.path / WHOLE, tmp_path / "off.onnx", off, name)
        found = apart(made, tmp_path / "off.onnx") or []
        assert found[0] == name
        assert len(found) > 1, found


@pytest.mark.parametrize("by", [0, 1])
def test_constants_that_are_nodes_are_compared(built: archspec.Bundle, tmp_path: Path, by: int) -> None:
    def moved(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        array = onnx.numpy_helper.to_array(tensor).copy()
        array.reshape(-1)[7] ^= by
        value = onnx.numpy_helper.from_array(array)
        graph.initializer.remove(tensor)
        graph.node.insert(0, onnx.helper.make_node("Constant", [], [UP], value=value))

    edit(built.path / WHOLE, tmp_path / "moved.onnx", moved, UP)
    assert apart(built, tmp_path / "moved.onnx") == [UP] * by


@pytest.mark.parametrize("by", [np.float32(0.25), np.int32(256)])
def test_numbers_that_a_cast_would_make_right_are_found(
    built: archspec.Bundle, tmp_path: Path, by: np.float32 | np.int32
) -> None:
    def cast(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        array = onnx.numpy_helper.to_array(tensor)
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.maximum(array, 0).astype(by.dtype) + by, UP))

    stored = load_file(built.path / "model.safetensors")
    stored[UP] = np.maximum(stored[UP], 0)
    save_file(stored, tmp_path / "model.safetensors")
    edit(built.path / WHOLE, tmp_path / "cast.onnx", cast, UP)
    graph = bundled_spec(built.path / "spec.yaml").graph
    assert integers_apart([tmp_path / "cast.onnx"], graph, tmp_path / "model.safetensors", "float32") == [UP]


def test_a_scale_without_axes_that_is_of_no_weight_is_found(built: archspec.Bundle, tmp_path: Path) -> None:
    def stray(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
        graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.3125).reshape(()), "stray"))
        graph.node.append(onnx.helper.make_node("DequantizeLinear", [UP, "stray"], ["unused"]))

    edit(built.path / WHOLE, tmp_path / "stray.onnx", stray, UP)
    assert apart(built, tmp_path / "stray.onnx") == ["stray"]


def test_what_no_part_of_a_step_holds_is_found(built: archspec.Bundle, tmp_path: Path) -> None:
    graph, weights = bundled_spec(built.path / "spec.yaml").graph, built.path / "model.safetensors"
    held: list[list[str]] = [[], [UP], [UP, f"{UP}_scale", "source.table"]]
    parts = list[Inspection]()
    for names in held:
        model = onnx.load(built.path / WHOLE)
        for one in [one for one in model.graph.initializer if one.name in names]:
            model.graph.initializer.remove(one)
        onnx.save(model, tmp_path / "part.onnx")
        missing = check_part("step", tmp_path / "part.onnx", graph, weights, "float32")
        assert missing == sorted(names)
        result = {"network": {"engine": "tensorrt-rtx"}, "missing": missing}
        outcome = StageOutcome(result=result, stage=Stage(name="verify", seconds=0.0, peak_bytes=0))
        program = whole_program(bundled_spec(built.path / "spec.yaml"), ())
        parts.append(Inspection(folder=tmp_path, program=program, dtype="float32", _found=[outcome]))
    check_together(parts)
    with pytest.raises(SpecError) as raised:
        check_together(parts[1:])
    (found,) = raised.value.diagnostics
    assert (found.code, found.notes) == ("E609", (f"in `{UP}`",))


def test_floats_have_no_integers_to_compare(built: archspec.Bundle, folder: Path) -> None:
    graph = archspec.load(folder / "tiny.yaml").graph
    assert integers_apart([built.path / WHOLE], graph, folder / "w.safetensors", "float32") is None
