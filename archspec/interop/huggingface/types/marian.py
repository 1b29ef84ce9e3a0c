"""The model type `marian`."""

from __future__ import annotations

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, dropout, must, reads, size, switch
from archspec.interop.huggingface.model_type import Architecture, ModelType
from archspec.interop.huggingface.types.bart import BODY, Bart, older

_SKIPPED = ["lm_head", "final_logits_bias", "encoder.embed_positions.weight", "decoder.embed_positions.weight"]

_OLDER = older(embedding_norm=False, sines=True)


def _one_vocabulary(given: JsonValue, configuration: Configuration) -> Changes:
    """The vocabulary of the decoder. Raises SpecError E803 for another one than the encoder's."""
    if given.value not in (None, configuration.value("vocab_size")):
        given.refuse("a vocabulary of its own for the decoder is not supported")
    return {}


class Marian(ModelType):
    """Marian's translators: BART without norms and learned positions behind its tables."""

    word = "marian"
    about = "Marian, and models of its shape (Junczys-Dowmunt et al. 2018, arXiv 1804.00344)"
    base = "opus-mt-en-de"
    inputs = Bart.inputs
    architectures = {
        "MarianMTModel": Architecture(outputs={"logits": "logits"}),
        "MarianModel": Architecture(
            changes={**BODY.changes, "weights.huggingface": {**BODY.changes["weights.huggingface"], "skip": _SKIPPED}},
            keys=BODY.keys,
            outputs=BODY.outputs,
        ),
    }
    keys = {
        **{name: key for name, key in Bart.keys.items() if name != "classifier_dropout"},
        "decoder_vocab_size": reads(_one_vocabulary),
        "dropout": dropout("defaults.dropout"),
        "scale_embedding": switch({False: {"graph.source.scale": None}, True: {"graph.source.scale": "sqrt(d_model)"}}),
        "share_encoder_decoder_embeddings": must(True, why="tables of their own for the stacks are not supported"),
        "decoder_start_token_id": size("constants.pad", least=0),
        **{name: key for name, (_, key) in _OLDER.items()},
    }
    defaults = {
        **{name: value for name, value in Bart.defaults.items() if name != "classifier_dropout"},
        "vocab_size": 58101,
        "decoder_vocab_size": None,
        "share_encoder_decoder_embeddings": True,
        "decoder_start_token_id": 58100,
        "pad_token_id": 58100,
        "bos_token_id": None,
        "eos_token_id": 0,
        **{name: value for name, (value, _) in _OLDER.items()},
    }
    aliases = Bart.aliases
    small = (
        {**Bart.small[0], "decoder_start_token_id": 59, "pad_token_id": 59},
        {"scale_embedding": True, "activation_function": "relu", "decoder_layers": 3},
        {"decoder_attention_heads": 2, "decoder_ffn_dim": 40, "dropout": 0.0},
    )
