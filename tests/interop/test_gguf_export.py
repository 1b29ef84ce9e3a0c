"""A file that is imported and exported again is the same: keys, tensors, and blocks of few bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

import archspec
from archspec.diagnostics import SpecError
from archspec.interop import import_model
from archspec.interop.gguf.exported import export_gguf
from archspec.spec import Spec, load
from archspec.weights import load as load_weights
from archspec.weights.gguf.reading import read_metadata
from tests.interop.gguf_models import written
from tests.interop.test_gguf_import import KNOWN


def exported(path: Path, out: Path, format: str) -> tuple[str, ...]:
    spec_file = path.with_suffix(".yaml")
    spec_file.write_text(import_model(path).text)
    spec = load(spec_file)
    return export_gguf(spec, load_weights(spec, path), out, format).notes


def keys(path: Path) -> dict[str, Any]:
    return {key: value for key, value in read_metadata(path).items() if not key.startswith(("general.", "tokenizer."))}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("format", ["F32", "Q8_0"])
def test_a_file_comes_back(tmp_path: Path, name: str, format: str) -> None:
    path, out = tmp_path / "a.gguf", tmp_path / "b.gguf"
    written(path, name, format)
    exported(path, out, format)
    # Older files of Gemma 3 leave the base of the local layers to the reader.
    added = {"gemma3.rope.freq_base_swa": 10_000.0} if name == "gemma3" else {}
    assert keys(out) == keys(path) | added
    before, after = ({one.name: one for one in gguf.GGUFReader(file).tensors} for file in (path, out))
    assert after.keys() == before.keys()
    for key, tensor in before.items():
        assert after[key].tensor_type == tensor.tensor_type
        assert after[key].shape.tolist() == tensor.shape.tolist()
        if key == "rope_freqs.weight":
            np.testing.assert_allclose(after[key].data, tensor.data, rtol=1e-6)
        else:
            assert after[key].data.tobytes() == tensor.data.tobytes(), key


def small(folder: Path, *changes: tuple[str, str]) -> Spec:
    text = (Path(archspec.__file__).parents[1] / "specs" / "smollm2-135m.yaml").read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "small.yaml").write_text(text)
    return load(folder / "small.yaml", reduced=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("mask: causal\n", "mask: last(5)\n"), "the nearest is llama"),
        (("feed_forward: {hidden: d_ff", "feed_forward: {hidden: 2*d_ff"), "the nearest is llama"),
        (("positions: {kind: rotary, layout: half", "positions: {kind: rotary, layout: interleaved"), "the nearest is"),
        (("activation: silu", "activation: gelu"), "the nearest is llama"),
        (("kv_heads: kv_heads\n", "kv_heads: kv_heads\n      scale: 0.5\n"), "the nearest is llama"),
    ],
)  # fmt: skip
def test_a_spec_that_a_file_cannot_say_is_refused(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    spec = small(tmp_path, change, ("  - covers: {output: logits, input: ids, mask: causal}\n", ""))
    module = archspec.compile(spec)
    with pytest.raises(SpecError) as raised:
        export_gguf(spec, module.state_dict(), tmp_path / "w.gguf", "F32")
    (found,) = raised.value.diagnostics
    assert found.code == "E809"
    assert any(note.startswith(reason) for note in found.notes)
    assert not (tmp_path / "w.gguf").exists()


def test_a_scaling_whose_numbers_a_file_does_not_hold_is_refused(tmp_path: Path) -> None:
    fields = "scaling: {kind: llama3, factor: 8, low: 1, high: 4, original: 16}"
    spec = small(
        tmp_path, ("positions: {kind: rotary, layout: half", f"positions: {{kind: rotary, {fields}, layout: half")
    )
    with pytest.raises(SpecError) as raised:
        export_gguf(spec, archspec.compile(spec).state_dict(), tmp_path / "w.gguf", "F32")
    (reason,) = raised.value.diagnostics[0].notes
    assert "1, 4 and 8192 can be written, the spec has 1, 4 and 16" in reason
    assert "rope_freqs" not in reason


def test_a_spec_without_a_layout_is_refused(tmp_path: Path) -> None:
    spec = load("bert-base", reduced=True)
    with pytest.raises(SpecError, match="has no layout `gguf`"):
        export_gguf(spec, {}, tmp_path / "w.gguf", "F32")
