"""Further sizes and options of decoders: the count is that of transformers, and the spec and its small copy hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import archspec
from archspec.interop import import_model
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.interop.huggingface.original import hold_to_original
from archspec.spec.claims import claims_of
from tests.interop.originals import configuration_class, original, write_configuration

transformers = pytest.importorskip("transformers")

PUBLISHED = Path(__file__).with_name("published")
NEAR, FAR = "sliding_attention", "full_attention"
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "xlm-roberta, base": (
        "roberta-base",
        {"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"], "vocab_size": 250002},
    ),
    "camembert, base, for entities": (
        "roberta-base",
        {
            "model_type": "camembert",
            "architectures": ["CamembertForTokenClassification"],
            "vocab_size": 32005,
            "id2label": {"0": "O", "1": "LOC", "2": "PER", "3": "MISC", "4": "ORG"},
            "label2id": {"O": 0, "LOC": 1, "PER": 2, "MISC": 3, "ORG": 4},
        },
    ),
    "distilbert, moods": (
        "distilbert-base",
        {
            "architectures": ["DistilBertForSequenceClassification"],
            "finetuning_task": "sst-2",
            "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
            "label2id": {"NEGATIVE": 0, "POSITIVE": 1},
        },
    ),
    "windows in the last layers alone": (
        "qwen2.5-0.5b",
        {"use_sliding_window": True, "max_window_layers": 21, "sliding_window": 4096},
    ),
    "windows in every layer": (
        "qwen2.5-0.5b",
        {"use_sliding_window": True, "max_window_layers": 0, "sliding_window": 4096},
    ),
    "gemma 3, 1B, whose pattern is cut": (
        "gemma-3-270m",
        {"hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26, "layer_types": None},
    ),
    "far positions stretched": ("gemma-3-270m", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
    "no regular pattern": ("gpt-oss-20b", {"layer_types": [FAR, *[NEAR] * 22, FAR], "quantization_config": None}),
    "many experts": ("mixtral-8x7b", {"num_local_experts": 64, "num_experts_per_tok": 6, "sliding_window": 4096}),
    "no groups, one dense layer, queries in one step": (
        "deepseek-v3",
        {"first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "n_routed_experts": 64, "q_lora_rank": None},
    ),
    "kimi k2": (
        "deepseek-v3",
        {"num_attention_heads": 64, "num_key_value_heads": 64, "n_routed_experts": 384, "n_group": 1, "topk_group": 1},
    ),
    "the first layer without positions": ("smollm3-3b", {"no_rope_layers": [0, *[1] * 35]}),
    "gpt-neo, 2.7B": (
        "gpt-neo-125m",
        {
            "hidden_size": 2560,
            "num_layers": 32,
            "num_heads": 20,
            "attention_types": [[["global", "local"], 16]],
            "attention_layers": ["global", "local"] * 16,
        },
    ),
    "pythia, 12B": (
        "pythia-70m",
        {"hidden_size": 5120, "num_attention_heads": 40, "num_hidden_layers": 36, "intermediate_size": 20480},
    ),
    "no window and heads of their own size": (
        "mistral-7b",
        {"sliding_window": None, "head_dim": 128, "hidden_size": 5120, "num_hidden_layers": 40},
    ),
    "phi 3.5, a factor for each frequency": (
        "phi-3-mini",
        {
            "max_position_embeddings": 131072,
            "sliding_window": 262144,
            "rope_scaling": {
                "type": "longrope",
                "short_factor": [1 + one / 64 for one in range(48)],
                "long_factor": [1 + one for one in range(48)],
            },
        },
    ),
    "three quarters of each head rotary": ("phi-3-mini", {"partial_rotary_factor": 0.75}),
    "opt, 350M, norms behind and a narrow table": (
        "opt-125m",
        {
            "do_layer_norm_before": False,
            "word_embed_proj_dim": 512,
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "ffn_dim": 4096,
        },
    ),
}


@pytest.mark.parametrize("word", ["t5", pytest.param("mt5", marks=pytest.mark.slow)])
def test_a_folder_whose_logits_have_a_matrix_of_their_own_is_imported_with_it(word: str, tmp_path: Path) -> None:
    """As published, and as transformers 5 saves it again: it writes that the table of tokens gives the logits."""
    kind, first, again = MODEL_TYPES[word], tmp_path / "first", tmp_path / "again"
    name = next(iter(kind.architectures))
    original(kind, name, 1).save_pretrained(first)
    tensors = load_file(first / "model.safetensors")
    own = torch.randn(tensors["shared.weight"].shape, generator=torch.Generator().manual_seed(0))
    save_file({**tensors, "lm_head.weight": own}, first / "model.safetensors", metadata={"format": "pt"})
    values = json.loads((first / "config.json").read_text())
    values.pop("scale_decoder_outputs", None)
    write_configuration(first, {**values, "tie_word_embeddings": False})
    opened: Any = getattr(transformers, name).from_pretrained(first)
    assert torch.equal(opened.lm_head.weight, own)
    opened.save_pretrained(again)
    for folder in (first, again):
        found = hold_to_original(claims_of(import_model(folder).spec), folder)
        assert found.status == "holds", found.detail
        assert "float64" in found.detail


def counted(values: dict[str, Any]) -> int:
    """The parameters of the original, and the biases that select its experts, which are buffers there."""
    kind = MODEL_TYPES[values["model_type"].replace("-", "_")]
    config = configuration_class(kind).from_dict({**values, "quantization_config": None})
    with torch.device("meta"):
        model = getattr(transformers, values["architectures"][0])._from_config(config)
    biases = (one for name, one in model.named_buffers() if name.endswith("e_score_correction_bias"))
    return sum(one.numel() for one in model.parameters()) + sum(one.numel() for one in biases)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_has_its_count_and_holds_as_does_its_small_copy(name: str, tmp_path: Path) -> None:
    published, changes = VARIANTS[name]
    values = {**json.loads((PUBLISHED / f"{published}.json").read_text()), **changes}
    made = import_model(write_configuration(tmp_path, values), name="variant")
    assert made.spec.counts is not None
    assert made.spec.counts.parameters == counted(values)
    file = tmp_path / "variant.yaml"
    file.write_text(made.text)
    for reduced in (False, True):
        report = archspec.check(file, reduced=reduced)
        assert report.holds, report.diagnostics
        assert not report.diagnostics
