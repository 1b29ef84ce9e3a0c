"""Integers that are written to a GGUF file, against the reading of the package `gguf`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from archspec.diagnostics import SpecError
from archspec.interop.gguf.exported import ExportedGguf, export_gguf
from archspec.ir.storage import Storage
from archspec.layouts.parameters import parameter_shapes
from archspec.spec import Spec, load
from archspec.weights import load as load_weights

gguf = pytest.importorskip("gguf")

Q, V, UP = (f"states.layers.0.{name}.weight" for name in ("attention.q", "attention.v", "feed_forward.up"))


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load("smollm2-135m", reduced=True)


def exported(
    spec: Spec, path: Path, storages: Mapping[str, Storage], scale: float
) -> tuple[dict[str, torch.Tensor], ExportedGguf]:
    """Write a file with random integers; returns the tensors under our names too."""
    draw = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=draw) for name, shape in parameter_shapes(spec.graph).items()}
    for name, storage in storages.items():
        shape = tuple(tensors[name].shape)
        tensors[name] = torch.randint(-storage.largest - 1, storage.largest + 1, shape, generator=draw).to(torch.int8)
        tensors[f"{name}_scale"] = scale * (1 + torch.rand(storage.scales(shape), generator=draw))
    return tensors, export_gguf(spec, tensors, path, "F32", storages)


def test_integers_stay_and_scales_are_in_float16(tmp_path: Path, spec: Spec) -> None:
    storages = {
        Q: Storage(bits=8, channels=1),
        V: Storage(bits=4, channels=1, block=32),
        UP: Storage(bits=8, channels=1, block=16),
    }
    tensors, told = exported(spec, tmp_path / "w.gguf", storages, 0.01)
    kinds = {one.name: one.tensor_type.name for one in gguf.GGUFReader(tmp_path / "w.gguf").tensors}
    assert (kinds["blk.0.attn_q.weight"], kinds["blk.0.attn_v.weight"]) == ("Q8_0", "Q4_0")
    assert (kinds["blk.0.ffn_up.weight"], kinds["blk.0.attn_k.weight"]) == ("F32", "F32")
    found = load_weights(spec, tmp_path / "w.gguf")
    for name in (Q, V):
        halves = tensors[f"{name}_scale"].half().float()
        assert torch.equal(found[name], tensors[name].float() * halves), name
    assert torch.equal(found[UP], tensors[UP].float() * tensors[f"{UP}_scale"].repeat_interleave(16, -1))
    assert told.formats == ("Q8_0", "Q4_0")
    assert f"{Q}, {V}: scales rounded to float16" in told.notes
    assert f"{UP} as floats: blocks of other than 32 integers" in told.notes


def test_scales_that_float16_holds_are_not_told(tmp_path: Path, spec: Spec) -> None:
    storage = Storage(bits=8, channels=1)
    draw = {name: torch.ones(shape) for name, shape in parameter_shapes(spec.graph).items()}
    # Odd ones: below zero, zero, the least subnormal, the largest.
    scales = torch.tensor([-0.5, 0.0, 2.0**-24, 65504.0]).repeat(8)[:, None]
    draw |= {Q: torch.full((32, 32), -128, dtype=torch.int8), f"{Q}_scale": scales}
    told = export_gguf(spec, draw, tmp_path / "w.gguf", "F32", {Q: storage})
    assert not [note for note in told.notes if "float16" in note]
    assert torch.equal(load_weights(spec, tmp_path / "w.gguf")[Q], -128.0 * scales.expand(32, 32))


def test_floats_of_eight_bits_are_written_as_their_values_and_what_is_rounded_is_told(
    tmp_path: Path, spec: Spec
) -> None:
    draw = {name: torch.randn(shape) for name, shape in parameter_shapes(spec.graph).items()}
    eights, scales = torch.randn(32, 32).to(torch.float8_e4m3fn), 0.01 + torch.rand(32, 1)
    draw |= {Q: eights, f"{Q}_scale": scales, "logits_input.scale": torch.tensor(0.1)}
    told = export_gguf(spec, draw, tmp_path / "w.gguf", "F32", {Q: Storage(bits=8, channels=1, floating=True)})
    assert torch.equal(load_weights(spec, tmp_path / "w.gguf")[Q], eights.float() * scales)
    assert f"{Q} as floats: blocks of other than 32 integers" in told.notes
    assert "values that the bundle rounds: activations, or what its cache keeps" in told.notes


def test_scales_that_would_be_infinite_are_refused(tmp_path: Path, spec: Spec) -> None:
    with pytest.raises(SpecError) as raised:
        exported(spec, tmp_path / "w.gguf", {Q: Storage(bits=8, channels=1)}, 1e5)
    assert [one.code for one in raised.value.diagnostics] == ["E527"]
    assert not (tmp_path / "w.gguf").exists()
