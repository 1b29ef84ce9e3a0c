"""The model type `mt5`."""

from __future__ import annotations

from collections.abc import Collection

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import inert, switch
from archspec.interop.huggingface.model_type import Architecture
from archspec.interop.huggingface.types.t5 import ENCODER, T5, UNTIED


class MT5(T5):
    """mT5, and models of its shape: T5 whose states are never scaled before the logits."""

    word = "mt5"
    about = "mT5 and models of its shape (Xue et al. 2021, arXiv 2010.11934)"
    architectures = {
        "MT5ForConditionalGeneration": Architecture(outputs={"logits": "logits"}),
        "MT5EncoderModel": ENCODER,
    }
    keys = {
        **T5.keys,
        "tie_word_embeddings": switch({True: {"graph.logits": {"scale": None}}, False: UNTIED}),
        "scale_decoder_outputs": inert("only T5 reads it"),
    }
    defaults = {
        **T5.defaults,
        "vocab_size": 250112,
        "d_ff": 1024,
        "num_layers": 8,
        "num_heads": 6,
        "feed_forward_proj": "gated-gelu",
    }

    def told_by_names(self, architecture: str, given: JsonValue, names: Collection[str]) -> Changes:
        """A matrix of its own for the logits, whatever transformers 5 writes of it."""
        return UNTIED if "lm_head.weight" in names and architecture == "MT5ForConditionalGeneration" else {}
