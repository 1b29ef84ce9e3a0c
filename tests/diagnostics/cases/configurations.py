"""Configurations of models: what an import refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archspec.interop import import_model
from archspec.interop.gguf.exported import export_gguf
from archspec.interop.huggingface.exported import export_huggingface
from tests.diagnostics.cases.parts import Case
from tests.interop.gguf_entries import write_gguf
from tests.spec.example import spec_of


def _imported(**configuration: Any) -> Case:
    """An import of a configuration."""

    def run(folder: Path) -> object:
        (folder / "config.json").write_text(json.dumps(configuration, indent=2) + "\n")
        return import_model(folder)

    return run


def _gguf(architecture: str, **entries: Any) -> Case:
    """An import of a GGUF file."""

    def run(folder: Path) -> object:
        write_gguf(folder / "small.gguf", architecture, entries)
        return import_model(folder / "small.gguf")

    return run


_LLAMA: dict[str, Any] = {
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 96,
    "llama.block_count": 2,
    "llama.context_length": 24,
    "llama.attention.head_count": 4,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
}
"""What the metadata of every Llama have."""


def _other(folder: Path) -> object:
    """An export to a folder like one of another architecture."""
    like = folder / "like"
    like.mkdir()
    (like / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    return export_huggingface(spec_of(folder), {}, folder, like)


CASES: dict[str, Case] = {
    "E801": _imported(model_type="lama", hidden_size=64),
    "E802": _imported(model_type="llama", architectures=["LlamaForCausalLM"], hiden_size=64),
    "E803": _imported(model_type="llama", architectures=["LlamaForCausalLM"], hidden_act="mish"),
    "E804": _imported(model_type="clip", architectures=["CLIPForNothing"]),
    "E805": import_model,
    "E806": _gguf("llama", **{"llama.embeding_length": 64}, **_LLAMA),
    "E807": _gguf("llama", **{"llama.embedding_length": 64, "llama.attention.causal": False} | _LLAMA),
    "E808": _gguf("mamba"),
    "E809": lambda folder: export_gguf(spec_of(folder), {}, folder / "spec.gguf", "F32"),
    "E810": _other,
}
