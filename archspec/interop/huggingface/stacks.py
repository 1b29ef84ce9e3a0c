"""Keys of models with two stacks: the encoder `memory` and the decoder `states`, alike or of sizes of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, ConfigurationKey, Keys, activation, everywhere, reads, size

DECODER_LAYERS = ("graph.states.layers",)
ATTENTIONS = ("graph.memory.attention", "graph.states.attention", "graph.states.cross_attention")
FEED_FORWARDS = ("graph.memory.feed_forward", "graph.states.feed_forward")


def of_decoder(constant: str, encoder: str, paths: Sequence[str], *, none: bool = False) -> ConfigurationKey:
    """A size of the decoder, which has a constant of its own where it is another than the encoder's.

    Args:
        constant: of the encoder's size: `layers`, beside which the decoder's is `decoder_layers`.
        encoder: the key of the encoder's size.
        paths: where the decoder has the size.
        none: whether null stands for the encoder's size.
    """
    own = f"decoder_{constant}"

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        if none and given.value is None:
            return {}
        made = size(f"constants.{own}").changes(given, configuration)
        if given.value == configuration.value(encoder):
            return {}
        return {**made, f"reduced.constants.{own}": constant, **dict.fromkeys(paths, own)}

    return reads(read, back=size(paths[0]).told)


def stacks() -> Keys:
    """The keys of the sizes of both stacks, by BART's names."""
    heads = [f"{one}.heads" for one in ATTENTIONS[1:]]
    return {
        "encoder_layers": size("constants.layers"),
        "decoder_layers": of_decoder("layers", "encoder_layers", DECODER_LAYERS),
        "encoder_attention_heads": size("constants.heads"),
        "decoder_attention_heads": of_decoder("heads", "encoder_attention_heads", heads),
        "encoder_ffn_dim": size("constants.d_ff"),
        "decoder_ffn_dim": of_decoder("d_ff", "encoder_ffn_dim", [f"{FEED_FORWARDS[1]}.hidden"]),
    }


def in_all(kind: Callable[[str], ConfigurationKey], parts: Sequence[str], field: str) -> ConfigurationKey:
    """One value of a field of several parts: `in_all(dropout, ATTENTIONS, "dropout")`."""
    return everywhere(kind, [f"{part}.{field}" for part in parts])


ACTIVATION = in_all(activation, FEED_FORWARDS, "activation")
"""The activation of both stacks."""
