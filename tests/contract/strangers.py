"""Models of Hugging Face with tiny random configurations, and the rules that hold for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from tests.editing import edited

_HEAD = """
archspec: 1
name: stranger
dims: {batch: [1, 2, 4], length: [2, 7, 12]}
inputs:
  input_ids: int64[batch, length] < 50
"""
DECODER = f"""{_HEAD}
  attention_mask: {{type: "bool[batch, length]", padding: right}}
outputs:
  logits: float[batch, length, 50]
rules:
  - causal: {{output: logits, input: input_ids, at: attention_mask}}
  - ignores: {{output: logits, input: input_ids, where: not attention_mask}}
  - covers: {{output: logits, input: input_ids, mask: causal}}
"""
LEFT = edited(DECODER, ("padding: right", "padding: left"))
ENCODER = f"""{_HEAD}
  attention_mask: {{type: "bool[batch, length]", padding: right}}
outputs:
  last_hidden_state: float[batch, length, 32]
rules:
  - ignores: {{output: last_hidden_state, input: input_ids, where: not attention_mask}}
  - sees: {{output: last_hidden_state, input: input_ids}}
"""
TRANSLATOR = """
archspec: 1
name: stranger
dims: {batch: [1, 2, 4], length: [2, 7, 12], target: [2, 5, 12]}
inputs:
  input_ids: int64[batch, length] < 50
  attention_mask: {type: "bool[batch, length]", padding: right}
  decoder_input_ids: int64[batch, target] < 50
outputs:
  logits: float[batch, target, 50]
rules:
  - causal: {output: logits, input: decoder_input_ids}
  - ignores: {output: logits, input: input_ids, where: not attention_mask}
  - sees: {output: logits, input: input_ids}
"""
IMAGE = """
archspec: 1
name: stranger
dims: {batch: [1, 2, 4]}
inputs:
  pixel_values: float[batch, 3, 16, 16]
outputs:
  last_hidden_state: float[batch, 17, 32]
rules:
  - sees: {output: last_hidden_state, input: pixel_values}
"""

SMALL = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
ENDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """A class of transformers, its configuration, and the rules in YAML."""

    model: str
    rules: str
    config: Mapping[str, object] = field(default_factory=lambda: SMALL)

    def build(self, attention: str) -> nn.Module:
        """The model with random weights, under one implementation of attention."""
        import transformers

        made = getattr(transformers, self.model)
        config = made.config_class(**self.config)
        config._attn_implementation = attention
        if config.is_encoder_decoder:
            config.use_cache = False
        build: Callable[..., nn.Module] = made
        return build(config).eval()


GPT2 = {"vocab_size": 50, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 4, **ENDS}
BERT = {**SMALL, "max_position_embeddings": 16}
BART = {
    "vocab_size": 50,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 16,
    **ENDS,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": None,
}
T5 = {
    "vocab_size": 50,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}
OPT = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "ffn_dim": 48,
    "num_attention_heads": 4,
    "max_position_embeddings": 16,
    "word_embed_proj_dim": 32,
    **ENDS,
}
STRANGERS = {
    "gpt2": Stranger(model="GPT2LMHeadModel", rules=DECODER, config=GPT2),
    "llama": Stranger(model="LlamaForCausalLM", rules=LEFT, config={**SMALL, "num_key_value_heads": 2, **ENDS}),
    "mistral": Stranger(
        model="MistralForCausalLM",
        rules=edited(DECODER, ("mask: causal}", "mask: last(3)}")),
        config={**SMALL, "num_key_value_heads": 2, "sliding_window": 3, **ENDS},
    ),
    "qwen2": Stranger(model="Qwen2ForCausalLM", rules=DECODER, config={**SMALL, "num_key_value_heads": 2, **ENDS}),
    "gemma": Stranger(
        model="GemmaForCausalLM",
        rules=LEFT,
        config={**SMALL, "num_key_value_heads": 1, "head_dim": 8, **ENDS},
    ),
    "gpt_neox": Stranger(
        model="GPTNeoXForCausalLM", rules=DECODER, config={**SMALL, "max_position_embeddings": 16, **ENDS}
    ),
    "opt": Stranger(model="OPTForCausalLM", rules=DECODER, config=OPT),
    "bert": Stranger(model="BertModel", rules=ENCODER, config=BERT),
    "roberta": Stranger(model="RobertaModel", rules=ENCODER, config={**BERT, "max_position_embeddings": 20}),
    "distilbert": Stranger(
        model="DistilBertModel",
        rules=ENCODER,
        config={
            "vocab_size": 50,
            "dim": 32,
            "hidden_dim": 48,
            "n_layers": 2,
            "n_heads": 4,
            "max_position_embeddings": 16,
        },
    ),
    "vit": Stranger(
        model="ViTModel",
        rules=IMAGE,
        config={**SMALL, "image_size": 16, "patch_size": 4},
    ),
    "t5": Stranger(model="T5ForConditionalGeneration", rules=TRANSLATOR, config=T5),
    "bart": Stranger(model="BartForConditionalGeneration", rules=TRANSLATOR, config=BART),
}
