"""The layouts `gguf` of shipped specs: names as llama.cpp gives them, values as its converter changes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from archspec.diagnostics import Collector
from archspec.layouts.bind import bind
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layouts
from archspec.spec import Spec, load
from archspec.spec.shipped import shipped_specs_dir
from archspec.weights import Layout, export_weights, import_weights

gguf = pytest.importorskip("gguf")

ARCHITECTURES = {
    "smollm2-135m": "LLAMA",
    "llama-3.2-1b": "LLAMA",
    "llama-3-8b": "LLAMA",
    "llama-2-7b": "LLAMA",
    "mistral-7b": "LLAMA",
    "mixtral-8x7b": "LLAMA",
    "qwen2.5-0.5b": "QWEN2",
    "qwen3-0.6b": "QWEN3",
    "qwen3-30b-a3b": "QWEN3MOE",
    "phi-3-mini": "PHI3",
    "gemma-2-2b": "GEMMA2",
    "gemma-3-270m": "GEMMA3",
    "olmo2-1b": "OLMO2",
    "gpt2": "GPT2",
    "gpt2-xl": "GPT2",
    "prefix-lm-base": "GPT2",
}


def of(spec: Spec, name: str) -> Layout:
    return next(layout for layout in layouts(spec) if layout.name == name)


def test_every_layout_is_tried() -> None:
    names = [file.stem for file in shipped_specs_dir().glob("*.yaml")]
    named = {name for name in names if any(one.name == "gguf" for one in layouts(load(name)))}
    assert named == set(ARCHITECTURES)


def theirs(spec: Spec, name: str) -> dict[str, str]:
    """Their name by ours."""
    found = Collector()
    bindings = bind(of(spec, name), parameter_shapes(spec.graph), found)
    assert not found.has_errors
    return {ours: binding.names()[0] for binding in bindings for ours in binding.ours}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_names_are_those_of_the_converter(name: str) -> None:
    """Through Hugging Face's names, which the package `gguf` maps."""
    spec, architecture = load(name, reduced=True), gguf.MODEL_ARCH[ARCHITECTURES[name]]
    known = gguf.get_tensor_name_map(architecture, 6)
    published, ours = theirs(spec, "huggingface"), theirs(spec, "gguf")
    assert published.keys() == ours.keys()
    for parameter, wanted in published.items():
        # Experts of version 5 stand in one tensor; the package knows them by the names of before.
        part = parameter.rpartition(".")[2]
        wanted = re.sub(r"mlp\.experts\.(gate_up_proj|down_proj)$", f"mlp.experts.{part}_proj.weight", wanted)
        names = (known.get_name(prefix + wanted, (".weight", ".bias")) for prefix in ("model.", ""))
        assert ours[parameter] == next(filter(None, names)), parameter


def converted(spec: Spec, tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """What llama.cpp's converter makes of our tensors, under its names; written after `convert_hf_to_gguf.py`."""
    architecture, named, made = ARCHITECTURES[name], theirs(spec, "gguf"), {}
    for ours, tensor in tensors.items():
        if architecture == "LLAMA" and re.search(r"attention\.[qk]\.weight$", ours):
            heads = 4 if ".q." in ours else 2
            tensor = tensor.reshape(heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
        if architecture.startswith("GEMMA") and "norm" in ours:
            tensor = tensor.float() + 1
        made.setdefault(named[ours], []).append(tensor)
    return {name: torch.cat(parts) for name, parts in made.items()}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_values_are_those_of_the_converter(name: str) -> None:
    spec = load(name, reduced=True)
    shapes = parameter_shapes(spec.graph)
    draw = torch.Generator().manual_seed(3)
    # Few digits, so that a 1 that is added and taken off leaves no rounding.
    ours = {one: torch.randint(-512, 512, shape, generator=draw) / 1024 for one, shape in shapes.items()}
    file = converted(spec, ours, name)
    found = import_weights(shapes, of(spec, "gguf"), file)
    exported = export_weights(shapes, of(spec, "gguf"), ours)
    assert found.keys() == ours.keys()
    for one, tensor in ours.items():
        assert torch.equal(found[one], tensor), one
    assert exported.keys() == file.keys()
    for one, tensor in file.items():
        assert torch.equal(exported[one], tensor), one
