"""A bundle of the integers of a GGUF file: they are those of the weights, the artifacts and an exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

import archspec
from archspec.bundle.report import step_of
from archspec.cli import cli
from archspec.diagnostics import SpecError
from archspec.spec import load
from tests.quantising.test_given import gguf_file
from tests.steps import steps_here

gguf = pytest.importorskip("gguf")

FORMATS = {"token_embd.weight": "Q8_0", "blk.1.attn_v.weight": "Q4_1"}
INNER = "states.layers.*.attention"
Built = tuple[archspec.Bundle, Path]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("given")
    # Two blocks in a row, of tables too.
    spec = load("smollm2-135m", reduced=True, set=["reduced.constants.d_model=64"])
    path = gguf_file(folder / "w.gguf", spec, "Q4_0", FORMATS)
    with steps_here():
        return archspec.build(spec, folder / "out", weights=path, quantise="stored", cache=False), path


def test_weights_are_the_integers_of_the_file(built: Built) -> None:
    bundle, path = built
    stored, theirs = (
        load_file(bundle.path / "model.safetensors"),
        {one.name: one for one in gguf.GGUFReader(path).tensors},
    )
    for ours, name in {"source.table": "token_embd", "states.layers.1.feed_forward.up.weight": "blk.1.ffn_up"}.items():
        tensor = theirs[f"{name}.weight"]
        blocks = tensor.data.reshape(-1, 34 if tensor.tensor_type.name == "Q8_0" else 18).copy()
        assert (stored[f"{ours}_scale"].reshape(-1) == blocks[:, :2].copy().view("<f2").reshape(-1)).all()
        blocks[:, :2] = np.array([1.0], "<f2").view(np.uint8)
        integers = gguf.dequantize(blocks, tensor.tensor_type)
        assert (stored[ours].reshape(-1, 32) == integers).all(), ours


def test_artifacts_are_held_to_these_integers(built: Built) -> None:
    trials = built[0].report.trials
    compared = {(one.artifact, one.reference) for one in trials}
    assert {("onnx", "module"), ("onnx", "interpreter"), (step_of("onnx"), "interpreter")} <= compared
    assert max(d.largest / max(1.0, d.scale) for one in trials for d in one.differences) < 1e-5


def test_the_manifest_says_which_are_kept_and_what_became_of_others(built: Built) -> None:
    entry = built[0].manifest.quantised
    assert entry is not None
    assert entry.unrounded["source.table"] == ["Q8_0"]
    assert entry.unrounded[f"{INNER}.q.weight"] == ["Q4_0"]
    assert entry.formats == {path: "int8:32" if path == "source.table" else "int4:32" for path in entry.unrounded}
    told = f"`{INNER}.v.weight` is Q4_0, Q4_1 in the file: stored as floats (Q4_1 has an offset for each block)"
    assert entry.rounded == [told]
    assert "  weights unrounded, as in their file: 6 of 6" in built[0].summary()
    assert told in built[0].summary()


def test_a_file_that_is_exported_has_the_same_blocks(built: Built, tmp_path: Path) -> None:
    bundle, path = built
    done = CliRunner().invoke(cli, ["export", str(bundle.path), "--to", "gguf", "-o", str(tmp_path / "w.gguf")])
    assert done.exit_code == 0, done.output
    before, after = ({one.name: one for one in gguf.GGUFReader(file).tensors} for file in (path, tmp_path / "w.gguf"))
    assert after.keys() == before.keys()
    for name, one in before.items():
        if one.tensor_type.name in ("Q8_0", "Q4_0") and ".attn_v." not in name:
            assert after[name].tensor_type == one.tensor_type, name
            assert after[name].data.tobytes() == one.data.tobytes(), name
            assert after[name].shape.tolist() == one.shape.tolist(), name
        else:
            assert after[name].tensor_type.name == "F32", name
            values = gguf.dequantize(one.data, one.tensor_type)
            assert (after[name].data.reshape(values.shape) == values).all(), name


def test_stored_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        archspec.build("gpt2", tmp_path / "out", quantise="stored")
    assert [one.code for one in raised.value.diagnostics] == ["E632"]
