"""Hand-made tables of shapes, and layouts from text."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.diagnostics import Diagnostic, Source, SpecError
from archspec.layouts.layout import Layout, read_layout
from archspec.layouts.operations import Shape
from archspec.text.reader import read

OURS: dict[str, Shape] = {
    "source.table": (10, 4),
    **{
        f"states.layers.{layer}.{name}": shape
        for layer in range(2)
        for name, shape in {
            "attention.q.weight": (4, 4),
            "attention.k.weight": (4, 4),
            "attention.v.weight": (4, 4),
            "attention_norm.weight": (4,),
        }.items()
    },
}
THEIRS: dict[str, Shape] = {
    "wte.weight": (10, 4),
    "lm_head.weight": (10, 4),
    **{
        f"h.{layer}.{name}": shape
        for layer in range(2)
        for name, shape in {"attn.c_attn.weight": (4, 12), "ln_1.weight": (4,)}.items()
    },
}


def layout_of(text: str, name: str = "published", file: str = "spec.yaml") -> Layout:
    return read_layout(name, read(Source(file, text)))


def tensors_of(shapes: dict[str, Shape], seed: int = 0) -> dict[str, Tensor]:
    made = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=made) for name, shape in shapes.items()}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def codes(error: SpecError) -> list[str]:
    return [found.code for found in error.diagnostics]


def only(error: SpecError) -> Diagnostic:
    (found,) = error.diagnostics
    return found
