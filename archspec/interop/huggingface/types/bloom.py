"""The model type `bloom`."""

from __future__ import annotations

from archspec.interop.huggingface.decoders import STATES, norm_eps, untied, without_head
from archspec.interop.huggingface.keys import FRESH, dropout, end_ids, inert, must, size, switch
from archspec.interop.huggingface.model_type import Architecture, ModelType

_CODE = inert("selects code of the original that computes the same")


class Bloom(ModelType):
    """BLOOM, with ALiBi in place of positions."""

    word = "bloom"
    about = "BLOOM (BigScience 2022, arXiv 2211.05100)"
    base = "bloom-560m"
    inputs = {"ids": "input_ids"}
    architectures = {
        "BloomForCausalLM": Architecture(outputs={"logits": "logits"}),
        "BloomModel": without_head(),
    }
    keys = {
        "vocab_size": size("constants.vocab"),
        "hidden_size": size("constants.d_model"),
        "n_layer": size("constants.layers"),
        "n_head": size("constants.heads"),
        "n_inner": must(None, why="features between those of the states and four times them are not supported"),
        "layer_norm_epsilon": norm_eps(),
        "initializer_range": FRESH,
        "apply_residual_connection_post_layernorm": must(
            False, why="a residual that begins behind the norm is not supported"
        ),
        "hidden_dropout": dropout(f"{STATES}.dropout"),
        "attention_dropout": dropout(f"{STATES}.attention.dropout"),
        "pretraining_tp": _CODE,
        "slow_but_exact": _CODE,
        "seq_length": size("constants.context"),
        "tie_word_embeddings": switch({True: {}, False: untied()}),
        "eos_token_id": end_ids(),
        "unk_token_id": inert("the tokenizer says which token this is"),
        "attention_softmax_in_fp32": _CODE,
        "bias_dropout_fusion": _CODE,
        "masked_softmax_fusion": _CODE,
        "skip_bias_add": _CODE,
        "skip_bias_add_qkv": _CODE,
        "offset_alibi": inert("biases are relative to the position that attends"),
    }
    aliases = {"n_embed": "hidden_size", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head"}
    defaults = {
        "vocab_size": 250880,
        "hidden_size": 64,
        "n_layer": 2,
        "n_head": 8,
        "n_inner": None,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": None,
        "unk_token_id": None,
        "apply_residual_connection_post_layernorm": False,
        "hidden_dropout": 0.0,
        "attention_dropout": 0.0,
        "pretraining_tp": 1,
        "slow_but_exact": False,
        "seq_length": 2048,
        "tie_word_embeddings": True,
        "attention_softmax_in_fp32": True,
        "bias_dropout_fusion": True,
        "masked_softmax_fusion": True,
        "skip_bias_add": True,
        "skip_bias_add_qkv": False,
        "offset_alibi": 100,
    }
    small = (
        {"vocab_size": 60, "hidden_size": 64, "n_layer": 2, "n_head": 4},
        {"hidden_size": 60, "n_head": 6, "layer_norm_epsilon": 1e-3},
        {"tie_word_embeddings": False, "hidden_dropout": 0.1},
    )
