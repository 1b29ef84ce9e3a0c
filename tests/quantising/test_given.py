"""The integers of a GGUF file as ours, against the values that the package `gguf` reads and the layout moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archspec.analyses.parameters import expand
from archspec.diagnostics import SpecError
from archspec.ir.storage import Storage
from archspec.layouts.parameters import parameter_shapes
from archspec.passes.quantise import storable
from archspec.quantising.given import given_integers, read_integers
from archspec.quantising.plan import Plan, plan_of, planned, read_wishes, written
from archspec.spec import Spec, load
from archspec.weights import export_weights, layouts
from archspec.weights import load as load_weights

gguf = pytest.importorskip("gguf")

Formats = dict[str, str]


def gguf_file(path: Path, spec: Spec, format: str, other: Formats | None = None, scale: float | None = None) -> Path:
    """A file of a spec with blocks of random bytes; `other` has the formats of some tensors, `scale` one for all."""
    layout = next(one for one in layouts(spec) if one.name == "gguf")
    shapes = parameter_shapes(spec.graph)
    writer, rng = gguf.GGUFWriter(path, "llama"), np.random.default_rng(3)
    for name, tensor in export_weights(
        shapes, layout, {one: torch.ones(shape) for one, shape in shapes.items()}
    ).items():
        kind = gguf.GGMLQuantizationType[(other or {}).get(name, format)]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        if tensor.dim() < 2 or tensor.shape[-1] % block or block == 1:
            writer.add_tensor(name, rng.standard_normal(tensor.shape).astype(np.float32))
            continue
        raw = rng.integers(0, 256, (tensor.numel() // block, size), dtype=np.uint8)
        drawn = rng.standard_normal((len(raw), 1 if kind.name != "Q4_1" else 2)) * 0.01
        raw[:, : 2 * drawn.shape[1]] = (drawn if scale is None else drawn * 0 + scale).astype("<f2").view(np.uint8)
        writer.add_tensor(name, raw.reshape(*tensor.shape[:-1], -1), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def held(spec: Spec, path: Path) -> Plan:
    found = given_integers(spec, path, None)
    return {name: one.storage for name, one in found.items() if one.storage is not None}


# Rows in pairs for the rotation; fused queries, keys and values; rows of experts; norms with 1 added.
WAYS = {
    "smollm2-135m": "states.layers.*.attention.q.weight",
    "phi-3-mini": "states.layers.*.attention.v.weight",
    "qwen3-30b-a3b": "states.layers.*.feed_forward.experts.gate",
    "gemma-2-2b": "source.table",
    "gpt2": "states.layers.*.attention.k.weight",
}


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("format", ["Q8_0", "Q4_0"])
def test_integers_are_moved_as_values_are(tmp_path: Path, name: str, format: str) -> None:
    spec = load(name, reduced=True)
    path = gguf_file(tmp_path / "w.gguf", spec, format)
    # The same bytes, but every scale is one: what the package reads are then the integers.
    ones = load_weights(spec, gguf_file(tmp_path / "ones.gguf", spec, format, scale=1.0))
    plan, values = held(spec, path), load_weights(spec, path)
    assert WAYS[name] in plan, list(plan)
    assert planned(spec.graph, written(plan)) == plan
    read = dict(read_integers(spec, path, None, plan))
    parameters = expand(spec.graph)
    assert read.keys() == {one for one, parameter in parameters.items() if parameter.path in plan}
    for one, (integers, scales) in read.items():
        storage = plan[parameters[one].path]
        # Rows of a table are looked up of bytes.
        bytes = format == "Q8_0" or storable(spec.graph)[parameters[one].path].rows
        assert str(storage) == ("int8:32" if bytes else "int4:32")
        assert tuple(scales.shape) == storage.scales(tuple(integers.shape))
        assert torch.equal(integers.float(), ones[one]), one
        assert (storage.values(integers.numpy(), scales.numpy()) == values[one].double().numpy()).all(), one


def test_a_storage_holds_all_layers_of_a_parameter(tmp_path: Path) -> None:
    spec = load("smollm2-135m", reduced=True)
    other = {"blk.0.attn_q.weight": "Q4_0", "blk.1.attn_v.weight": "Q4_1", "blk.1.attn_k.weight": "F32"}
    path = gguf_file(tmp_path / "w.gguf", spec, "Q8_0", other)
    found, values = given_integers(spec, path, None), load_weights(spec, path)
    inner = "states.layers.*.attention"
    # Four and eight bits are eight bits; blocks with offsets, or floats in one layer, are left.
    q = found[f"{inner}.q.weight"]
    assert (q.formats, q.storage) == (("Q4_0", "Q8_0"), Storage(bits=8, channels=1, block=32))
    assert found[f"{inner}.v.weight"].storage is None
    assert found[f"{inner}.v.weight"].reason == "Q4_1 has an offset for each block"
    assert found[f"{inner}.k.weight"].storage is None
    plan = {path: one.storage for path, one in found.items() if one.storage is not None}
    integers, scales = dict(read_integers(spec, path, None, plan))["states.layers.0.attention.q.weight"]
    made = q.storage.values(integers.numpy(), scales.numpy()) if q.storage else None
    assert (made == values["states.layers.0.attention.q.weight"].double().numpy()).all()
    assert found[f"{inner}.v.weight"].told("x", plan) == (
        "`x` is Q8_0, Q4_1 in the file: stored as floats (Q4_1 has an offset for each block)"
    )


def test_scales_are_repeated_for_smaller_blocks(tmp_path: Path) -> None:
    spec = load("smollm2-135m", reduced=True)
    path, name = gguf_file(tmp_path / "w.gguf", spec, "Q4_0"), "states.layers.*.attention.q.weight"
    smaller = {name: Storage(bits=8, channels=1, block=16)}
    integers, scales = dict(read_integers(spec, path, None, smaller))[name.replace("*", "1")]
    values = load_weights(spec, path)[name.replace("*", "1")]
    assert (smaller[name].values(integers.numpy(), scales.numpy()) == values.double().numpy()).all()


@pytest.mark.parametrize("format", ["Q4_1", "F32"])
def test_a_file_without_such_integers_is_refused(tmp_path: Path, format: str) -> None:
    spec = load("smollm2-135m", reduced=True)
    path = gguf_file(tmp_path / "w.gguf", spec, format)
    with pytest.raises(SpecError) as raised:
        given_integers(spec, path, None)
    (found,) = raised.value.diagnostics
    assert found.code == "E631"
    assert list(found.notes) == (["Q4_1: Q4_1 has an offset for each block"] if format == "Q4_1" else [])


@pytest.mark.parametrize(
    ("wishes", "keep", "q", "v"),
    [
        (["stored"], [], "int4:32", None),
        (["stored", "int8"], [], "int4:32", "int8"),
        (["int8", "stored"], [], "int4:32", "int8"),
        (["int8", "states.layers.*.attention.q=stored"], [], "int4:32", "int8"),
        (["int8", "states.layers.*.attention.v=stored"], [], "int8", "int8"),
        (["stored"], ["states.layers.*.attention.v"], "int4:32", None),
        (["stored", "states.layers.*.attention.q=int8"], [], "int8", None),
    ],
)
def test_other_wishes_are_for_what_is_not_given(wishes: Any, keep: Any, q: str, v: str | None) -> None:
    spec, inner = load("smollm2-135m", reduced=True), "states.layers.*.attention"
    given = {f"{inner}.q.weight": Storage(bits=4, channels=1, block=32)}
    plan = plan_of(spec.graph, read_wishes(wishes, keep), given)
    assert str(plan[f"{inner}.q.weight"]) == q
    assert str(plan.get(f"{inner}.v.weight")) == str(v)
