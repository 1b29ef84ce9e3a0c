"""Weights that load are held to their original: whatever is wrong in a map or a constant is named."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from archspec.bundle.expected import kept
from archspec.bundle.holding import held_module
from archspec.bundle.manifest import OriginalEntry
from archspec.bundle.sources import texts_of
from archspec.bundle.weights import put_weights
from archspec.bundle.work import Work
from archspec.checking import accepted
from archspec.contract.fill import fill
from archspec.contract.held import Recording
from archspec.diagnostics import SpecError
from archspec.interop.huggingface.original import open_original
from archspec.spec.claims import load_claims
from tests.interop.imported_maps import IMPORTED
from tests.interop.wrong_maps import ORIGINALS, Change, Original

ALL = {**ORIGINALS, **{f"imported {name}": one for name, one in IMPORTED.items()}}
WRONG = [(name, word) for name, one in ALL.items() for word in one.wrong]


class Folder:
    """An original on disk, its tensors as they are stored, and what it gives in float64."""

    def __init__(self, original: Original, path: Path, std: float = 0.05) -> None:
        self.original, self.path = original, path
        fill(original.make(original.config), 0, std).save_pretrained(path / "original")
        tensors = load_file(path / "original" / "model.safetensors")
        self.weights = path / "stored.safetensors"
        save_file(original.stored(tensors), self.weights)
        self.spec = path / "spec.yaml"

    def recording(self) -> Recording:
        """Inputs and outputs; where the promises admit padding, with padding."""
        claims = load_claims(self.write(), set=self.original.sizes)
        recordings = open_original(self.path / "original", claims).recorded(claims)
        return next((one for one in recordings if one.note), recordings[0])

    def write(self, *changes: Change) -> Path:
        self.spec.write_text(self.original.text(self.path / "original", *changes), encoding="utf-8")
        return self.spec

    def hold(self, expect: dict[str, Any], *changes: Change) -> OriginalEntry:
        """What `build --expect` does before it builds artifacts."""
        from archspec.spec import load

        checked = accepted(load(self.write(*changes), set=self.original.sizes), unproved=True)
        work = Work(
            folder=self.path,
            checked=checked,
            dtype="float32",
            profiles=(),
            layout="bundle",
            cache=False,
            benchmark=False,
            progress=lambda stage, share: None,
        )
        work.write({name: text for name, text in texts_of(checked).items() if name == "model.py"})
        put_weights(self.path, checked, work.program, self.weights, None, 0, work.progress)
        with kept(expect, checked.spec) as reference:
            assert reference is not None
            return held_module(work.program.inside(self.path), checked.spec, reference.path, "ref.npz", "")


def arrays_of(recording: Recording, exact: bool = True) -> dict[str, Any]:
    """A reference as a person saves it."""
    return {**recording.inputs, **(recording.exact if exact else recording.outputs)}


Made = Callable[[str], tuple[Folder, Recording]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Each original once, when it is first asked for."""

    @cache
    def of(name: str) -> tuple[Folder, Recording]:
        folder = Folder(ALL[name], tmp_path_factory.mktemp(name.replace(" ", "-")))
        return folder, folder.recording()

    return of


@pytest.mark.parametrize("name", ALL)
def test_the_right_spec_is_equal_in_both_precisions(name: str, made: Made) -> None:
    folder, recording = made(name)
    entry = folder.hold(arrays_of(recording))
    assert entry.largest < 1e-5
    assert entry.exact is not None and entry.exact < folder.original.exact
    assert entry.sizes == dict(recording.sizes)


@pytest.mark.parametrize(("name", "word"), WRONG)
def test_what_is_wrong_is_named(name: str, word: str, made: Made) -> None:
    folder, recording = made(name)
    with pytest.raises(SpecError) as raised:
        folder.hold(arrays_of(recording), *folder.original.wrong[word])
    codes = {one.code for one in raised.value.diagnostics}
    assert codes == {"E640"}
    # Output, place and both values.
    assert all("the original has" in one.message and "`" in one.message for one in raised.value.diagnostics)


def test_a_transpose_that_a_shape_tells_does_not_load(made: Made) -> None:
    folder, recording = made("gpt2")
    with pytest.raises(SpecError) as raised:
        folder.hold(arrays_of(recording), ("transpose: true, split: 0", "split: 0"))
    assert not any(one.code == "E640" for one in raised.value.diagnostics)


@pytest.mark.parametrize("name", ["llama", "vit"])
def test_large_weights_hide_an_eps_in_float32_and_not_in_float64(name: str, tmp_path: Path) -> None:
    folder = Folder(ORIGINALS[name], tmp_path, std=1.0)
    recording, eps = folder.recording(), folder.original.wrong["eps"]
    entry = folder.hold(arrays_of(recording, exact=False), *eps)
    assert entry.exact is None
    with pytest.raises(SpecError) as raised:
        folder.hold(arrays_of(recording), *eps)
    (found,) = raised.value.diagnostics
    assert found.code == "E640" and "in float64" in found.message
