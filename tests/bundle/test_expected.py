"""A bundle that is held to its original, and one that is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import archspec
from archspec.bundle import Bundle
from archspec.bundle.expected import kept, read_recording
from archspec.bundle.manifest import MANIFEST, write_manifest
from archspec.bundle.verify import verify_bundle
from archspec.contract.held import CLAIM, UNTIED
from archspec.diagnostics import SpecError
from archspec.spec import Spec
from tests.steps import steps_here

IDS = np.arange(21).reshape(3, 7) % 50
VALID = np.arange(7) < np.array([[7], [3], [1]])
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def spec(spec_file: Path) -> Spec:
    return archspec.load(spec_file)


@pytest.fixture(scope="module")
def weights(spec: Spec) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    state = archspec.compile(spec).state_dict()
    return {name: torch.randn(tensor.shape, generator=generator) * 0.3 for name, tensor in state.items()}


@pytest.fixture(scope="module")
def reference(spec: Spec, weights: dict[str, Tensor]) -> Arrays:
    """What an original gives that is right: the module itself, in float64."""
    module = archspec.compile(spec)
    module.load_state_dict(weights)
    with torch.no_grad():
        found = module.double().eval()(torch.from_numpy(IDS), torch.from_numpy(VALID))
    return {"ids": IDS, "valid": VALID, "states": found.states.numpy(), "pooled": found.pooled.numpy()}


def refused(spec: Spec, arrays: Arrays) -> SpecError:
    with pytest.raises(SpecError) as raised, kept(arrays, spec):
        pass
    return raised.value


def codes(error: SpecError) -> list[str]:
    return [one.code for one in error.diagnostics]


def test_all_inputs_and_some_outputs_are_read(spec: Spec, reference: Arrays) -> None:
    with kept({name: reference[name] for name in ("ids", "pooled")}, spec) as one:
        assert one is not None
        found = read_recording(spec, one.path, one.name)
    assert found.sizes == {"batch": 3, "tokens": 7}
    assert sorted(found.inputs) == ["ids", "valid"]
    assert found.inputs["valid"].all()
    assert list(found.outputs) == list(found.exact) == ["pooled"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"idz": IDS}, "E641", "`idz`, which is neither an input nor an output"),
        ({"states": np.zeros((3, 7, 15), dtype=np.float32)}, "E641", "`states` has shape [3, 7, 15]"),
        ({"states": np.zeros((3, 7, 16), dtype=np.float16)}, "E641", "expected float32 or float64"),
        ({"states": np.zeros((3, 7, 16), dtype=np.int64)}, "E641", "dtype int64"),
        ({"ids": IDS.astype(np.float32)}, "E713", "`ids` has dtype float32"),
        ({"ids": IDS + 40}, "E718", "expected 0 to 49"),
        ({"valid": VALID[:, :6]}, "E715", "axis 1 of `valid` has size 6"),
    ],
)
def test_what_does_not_fit_is_refused(change: Arrays, code: str, words: str, spec: Spec, reference: Arrays) -> None:
    error = refused(spec, {**reference, **change})
    assert codes(error) == [code]
    assert words in error.diagnostics[0].message


def test_a_reference_without_outputs_or_without_an_input_is_refused(spec: Spec, reference: Arrays) -> None:
    assert codes(refused(spec, {"ids": IDS})) == ["E641"]
    assert codes(refused(spec, {"pooled": reference["pooled"]})) == ["E712"]


def test_pickled_objects_are_never_loaded(spec: Spec, tmp_path: Path) -> None:
    np.savez(tmp_path / "ref.npz", ids=IDS, pooled=np.array([{"a": 1}], dtype=object))
    with pytest.raises(SpecError) as raised, kept(tmp_path / "ref.npz", spec):
        pass
    assert codes(raised.value) == ["E703"]


def test_a_file_that_is_no_archive_is_called_by_its_own_name(spec: Spec, tmp_path: Path) -> None:
    file = tmp_path / "junk.npz"
    file.write_bytes(b"junk")
    with pytest.raises(SpecError, match="E703") as raised, kept(file, spec):
        pass
    assert raised.value.diagnostics[0].message == "junk.npz is not an .npz file of plain arrays"


def test_a_reference_needs_weights(spec: Spec, reference: Arrays, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        archspec.build(spec, tmp_path / "bundle", expect=reference)
    assert codes(raised.value) == ["E641"]


@pytest.fixture(scope="module")
def tied(spec: Spec, weights: dict[str, Tensor], reference: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("tied")
    np.savez(folder / "ref.npz", **{name: one for name, one in reference.items() if name != "pooled"})
    given = {"weights": weights, "expect": folder / "ref.npz", "files": [folder / "ref.npz"]}
    with steps_here():
        return archspec.build(spec, folder / "bundle", cache=False, **given)


@pytest.mark.slow
def test_a_bundle_that_equals_its_original_says_so(tied: Bundle) -> None:
    bundle = tied
    entry = bundle.manifest.weights.original
    assert entry is not None
    assert (entry.reference, entry.outputs, entry.left_out) == ("ref.npz", ["states"], ["pooled"])
    assert entry.sizes == {"batch": 3, "tokens": 7}
    assert 0 < entry.largest < 1e-6
    assert entry.exact is not None and entry.exact < 1e-12
    (trial,) = [one for one in bundle.report.trials if one.reference == "original"]
    assert trial.artifact == "onnx" and trial.differences[0].largest < 1e-4
    assert f"  {CLAIM}: {entry}\n" in bundle.summary()
    assert "(states of ref.npz at batch=3, tokens=7; not compared: pooled)" in bundle.summary()
    module = next(verify_bundle(bundle))
    (found,) = [one for one in module.findings if one.claim == CLAIM]
    # The reference is carried, so that the comparison is made again, and a rebuilt bundle is held to it too.
    assert (found.status, found.trials) == ("holds", 1)
    assert "in float64 up to" in found.detail
    assert bundle.manifest.command.endswith("--file files/ref.npz --expect files/ref.npz")


@pytest.mark.slow
def test_without_its_reference_a_bundle_says_what_its_build_found(tied: Bundle, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tied.path, tmp_path / "bundle"))
    files = {name: one for name, one in tied.manifest.files.items() if name != "files/ref.npz"}
    (folder / "files" / "ref.npz").unlink()
    (folder / MANIFEST).write_text(write_manifest(tied.manifest.model_copy(update={"carried": [], "files": files})))
    module = next(verify_bundle(archspec.open(folder)))
    (found,) = [one for one in module.findings if one.claim == CLAIM]
    assert found.detail == f"when it was built: {tied.manifest.weights.original}"


@pytest.mark.slow
def test_nothing_ties_weights_that_are_not_compared(tied: Bundle, tmp_path: Path) -> None:
    """As a build without a reference writes it: the entry is missing."""
    folder = Path(shutil.copytree(tied.path, tmp_path / "bundle"))
    weights = tied.manifest.weights.model_copy(update={"original": None})
    (folder / MANIFEST).write_text(write_manifest(tied.manifest.model_copy(update={"weights": weights})))
    bundle = archspec.open(folder)
    assert f"  {UNTIED}: build with `--expect`\n" in bundle.summary()
    module = next(verify_bundle(bundle))
    (found,) = [one for one in module.findings if one.claim == CLAIM]
    assert (found.status, found.detail) == ("not measured", f"{UNTIED}: build with `--expect`")
    assert module.holds


def test_fresh_weights_have_no_original(built: Path) -> None:
    bundle = archspec.open(built)
    assert UNTIED not in bundle.summary() and CLAIM not in bundle.summary()


def test_a_bundle_that_differs_is_not_written(
    spec: Spec, weights: dict[str, Tensor], reference: Arrays, tmp_path: Path
) -> None:
    wrong = {**weights, "states.layers.0.attention.q.weight": weights["states.layers.0.attention.q.weight"].T}
    with pytest.raises(SpecError) as raised, steps_here():
        archspec.build(spec, tmp_path / "bundle", weights=wrong, expect=reference, cache=False)
    assert codes(raised.value) == ["E640", "E640"]
    assert [one.message.partition("[")[0] for one in raised.value.diagnostics] == ["`states", "`pooled"]
    assert not list(tmp_path.iterdir())
