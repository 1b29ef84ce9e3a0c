"""Specs of models of transformers, and what a person may get wrong in them without any shape telling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from archspec.interop import import_model
from tests.editing import edited

transformers = pytest.importorskip("transformers")

SPECS = Path(__file__).resolve().parents[2] / "specs"
Change = tuple[str, str]
SIZES = {"d_model": "32", "heads": "4", "layers": "2", "vocab": "50", "context": "16", "dims.length": "[1, 5, 16]"}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
TEXT = {**SMALL, "vocab_size": 50, "max_position_embeddings": 16}
NO_IDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
GROUPED = {"num_key_value_heads": 2, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, **NO_IDS}


@dataclass(frozen=True, kw_only=True)
class Original:
    """A class of transformers with a small configuration, the spec of it, and by name what can be wrong in the spec.

    Without the name of a shipped `spec` it is the one that is imported. `stored` changes the tensors as another format
    stores them, and `exact` is how near the right spec comes in float64.
    """

    make: Callable[[Any], nn.Module]
    config: Any
    spec: str | None
    sizes: Mapping[str, str]
    wrong: Mapping[str, tuple[Change, ...]]
    base: tuple[Change, ...] = ()
    exact: float = 1e-12
    stored: Callable[[dict[str, Tensor]], dict[str, Tensor]] = field(default=lambda tensors: tensors)

    def text(self, folder: Path, *changes: Change) -> str:
        """The text of the spec, or of that which a folder gives, wrong where it is changed."""
        shipped = None if self.spec is None else (SPECS / f"{self.spec}.yaml").read_text(encoding="utf-8")
        found = import_model(folder).text if shipped is None else shipped
        return edited(found, *self.base, *changes)


def in_pairs(weight: Tensor, heads: int) -> Tensor:
    """Rows of q or k in the order that llama.cpp stores: the two halves of a head in turn."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def as_gguf(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of Llama under the names and in the order of llama.cpp."""
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"}
    parts |= {"self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up"}
    parts |= {"mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm"}
    names |= {f"model.layers.{i}.{old}": f"blk.{i}.{new}" for i in range(2) for old, new in parts.items()}
    heads = {"attn_q": 4, "attn_k": 2}
    made = {}
    for name, tensor in tensors.items():
        new = names[name.removesuffix(".weight")]
        count = heads.get(new.rpartition(".")[2])
        made[f"{new}.weight"] = tensor if count is None else in_pairs(tensor, count).contiguous()
    return made


_TURNED = """\
attention.out.weight: {from: attention.output.dense.weight, transpose: true}
          attention.out.bias: attention.output.dense.bias"""
_PAIRS = 'rearrange: "(h r p) d -> (h p r) d"'
_FUSED = "attention.(q k v).weight: {from: attn.c_attn.weight"
ORIGINALS = {
    "gpt2": Original(
        make=transformers.GPT2LMHeadModel,
        # Square matrices in the feed-forward layers, too, so that no shape tells one that is not transposed.
        config=transformers.GPT2Config(
            vocab_size=50, n_positions=16, n_embd=32, n_layer=2, n_head=4, n_inner=32, bos_token_id=0, eos_token_id=0
        ),
        spec="gpt2",
        sizes={**SIZES, "d_ff": "32"},
        wrong={
            "transpose of out": (("{from: attn.c_proj.weight, transpose: true}", "attn.c_proj.weight"),),
            "transpose of up and down": (
                ("{from: mlp.(c_fc c_proj).weight, transpose: true}", "mlp.(c_fc c_proj).weight"),
            ),
            "order of the split": ((_FUSED, _FUSED.replace("q k v", "v k q")),),
            "biases of the split": (("attention.(q k v).bias", "attention.(k q v).bias"),),
            "eps": (("norm: layer_norm", "norm: {kind: layer_norm, eps: 1e-6}"),),
            "activation": (("gelu_tanh", "gelu"),),
            "scale": (("mask: causal, dropout", "mask: causal, scale: 1/sqrt(d_model), dropout"),),
        },
    ),
    "llama": Original(
        make=transformers.LlamaForCausalLM,
        config=transformers.LlamaConfig(**TEXT, **GROUPED, intermediate_size=48, rope_theta=100000.0),
        spec="smollm2-135m",
        sizes={**SIZES, "kv_heads": "2", "d_ff": "48"},
        wrong={
            "layout of rotary positions": (("layout: half", "layout: interleaved"),),
            "base of rotary positions": (("base: base", "base: 10000"),),
            "k and v": (("(q_proj k_proj v_proj", "(q_proj v_proj k_proj"),),
            "gate and up": (("(gate_proj up_proj", "(up_proj gate_proj"),),
            "eps": (("eps: 1e-5", "eps: 1e-6"),),
            "activation": (("activation: silu", "activation: gelu"),),
            "scale": (("mask: causal\n", "mask: causal\n      scale: 1/sqrt(d_model)\n"),),
        },
    ),
    "llama as gguf": Original(
        make=transformers.LlamaForCausalLM,
        config=transformers.LlamaConfig(**TEXT, **GROUPED, intermediate_size=48, rope_theta=100000.0),
        spec="smollm2-135m",
        sizes={**SIZES, "kv_heads": "2", "d_ff": "48"},
        stored=as_gguf,
        wrong={
            "rearrange of q": (
                (
                    '{from: attn_q.weight, rearrange: "(h r p) d -> (h p r) d", sizes: {h: heads, p: 2}}',
                    "attn_q.weight",
                ),
            ),
            "rearrange of k": ((f"{{from: attn_k.weight, {_PAIRS}, sizes: {{h: kv_heads, p: 2}}}}", "attn_k.weight"),),
            "number of heads in a rearrange": (("sizes: {h: heads, p: 2}", "sizes: {h: kv_heads, p: 2}"),),
        },
    ),
    "bert": Original(
        make=transformers.BertModel,
        config=transformers.BertConfig(**TEXT, intermediate_size=32),
        spec="bert-base",
        sizes={**SIZES, "d_ff": "32"},
        wrong={
            "q and k": (("(query key value)", "(key query value)"),),
            "up and down": (
                ("up: intermediate.dense", "up: output.dense"),
                ("down: output.dense", "down: intermediate.dense"),
            ),
            "transpose": (
                (
                    "attention.out: attention.output.dense",
                    _TURNED,
                ),
            ),
            "eps": (("eps: 1e-12", "eps: 1e-5"),),
            "activation": (("activation: gelu}", "activation: gelu_tanh}"),),
            "activation of the pooler": (("activation: tanh", "activation: sigmoid"),),
            "scale": (("heads: heads, mask", "heads: heads, scale: 1/sqrt(d_model), mask"),),
        },
    ),
    "vit": Original(
        make=transformers.ViTForImageClassification,
        # As many features as positions, so that no shape tells a table that is turned.
        config=transformers.ViTConfig(
            hidden_size=17,
            num_hidden_layers=2,
            num_attention_heads=1,
            image_size=32,
            patch_size=8,
            intermediate_size=24,
            num_labels=7,
        ),
        spec="vit-b16",
        sizes={"image": "32", "patch": "8", "d_model": "17", "heads": "1", "d_ff": "24", "layers": "2", "classes": "7"},
        wrong={
            "rearrange": (("rearrange: 1 n d -> n d", "rearrange: 1 n d -> d n"),),
            "norms": (
                ("attention_norm: layernorm_before", "attention_norm: layernorm_after"),
                ("feed_forward_norm: layernorm_after", "feed_forward_norm: layernorm_before"),
            ),
            "eps": (("eps: 1e-12", "eps: 1e-6"),),
            "activation": (("activation: gelu", "activation: gelu_tanh"),),
            "scale": (("mask: all", "mask: all, scale: 1"),),
        },
    ),
    "t5": Original(
        make=transformers.T5ForConditionalGeneration,
        config=transformers.T5Config(
            vocab_size=50, d_model=32, d_kv=8, d_ff=32, num_layers=2, num_heads=4, decoder_start_token_id=0
        ),
        spec="t5-small",
        sizes={"vocab": "50", "d_model": "32", "heads": "4", "head_dim": "8", "d_ff": "32", "layers": "2"},
        wrong={
            "q and k": (
                ("(q k v out): layer.0.SelfAttention.(q k v o)", "(k q v out): layer.0.SelfAttention.(q k v o)"),
            ),
            "eps": (("norm: {kind: rms_norm, eps: 1e-6}", "norm: {kind: rms_norm, eps: 1e-5}"),),
            "activation": (("activation: relu", "activation: gelu"),),
            "scale": (("scale: 1\n", "scale: 1/sqrt(head_dim)\n"),),
            "scale of cross attention": (("scale: 1, dropout: 0.1, mask: key", "dropout: 0.1, mask: key"),),
            "scale of logits": ((", scale: 1/sqrt(d_model)}", "}"),),
        },
    ),
    "gemma2": Original(
        make=transformers.Gemma2ForCausalLM,
        config=transformers.Gemma2Config(
            **TEXT,
            **NO_IDS,
            num_key_value_heads=2,
            head_dim=6,
            intermediate_size=48,
            sliding_window=3,
            query_pre_attn_scalar=6,
        ),
        spec="gemma-2-2b",
        sizes={**SIZES, "kv_heads": "2", "head_dim": "6", "d_ff": "48", "window": "3"},
        wrong={
            "layout of rotary positions": (("layout: half", "layout: interleaved"),),
            "eps": (("unit_offset: true", "unit_offset: true, eps: 1e-5"),),
            "offset of norms": (("unit_offset: true", "unit_offset: false"),),
            "activation": (("gelu_tanh", "gelu"),),
            "scale": (("softcap: 50", "softcap: 50\n      scale: 1/sqrt(d_model)"),),
            "cap of scores": (("softcap: 50", "softcap: 40"),),
            "cap of logits": (("softcap: 30", "softcap: 25"),),
            "scale of the table": ((", scale: sqrt(d_model)", ""),),
            "order of windows": (("pattern: [local, global]", "pattern: [global, local]"),),
        },
    ),
}
