"""Generation: token ids, or text by a tokenizer, from a spec's `decode` section and a module's parameters.

The public names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.decoding.beams import BeamSearch
    from archspec.decoding.generation import decoder, generate, text_decoder
    from archspec.decoding.rows import DecodingStep, Generated
    from archspec.decoding.sampling import Sampling
    from archspec.decoding.slots import DecodingSlots
    from archspec.decoding.stepping import Decoder
    from archspec.decoding.text import TextDecoder, TextStep
    from archspec.decoding.tokenizer import Tokenizer, read_tokenizer

_HOMES = {
    "BeamSearch": "archspec.decoding.beams",
    "Decoder": "archspec.decoding.stepping",
    "Generated": "archspec.decoding.rows",
    "DecodingStep": "archspec.decoding.rows",
    "Sampling": "archspec.decoding.sampling",
    "DecodingSlots": "archspec.decoding.slots",
    "TextDecoder": "archspec.decoding.text",
    "TextStep": "archspec.decoding.text",
    "Tokenizer": "archspec.decoding.tokenizer",
    "decoder": "archspec.decoding.generation",
    "generate": "archspec.decoding.generation",
    "read_tokenizer": "archspec.decoding.tokenizer",
    "text_decoder": "archspec.decoding.generation",
}

__all__ = [
    "BeamSearch",
    "Decoder",
    "DecodingStep",
    "Generated",
    "Sampling",
    "DecodingSlots",
    "TextDecoder",
    "TextStep",
    "Tokenizer",
    "decoder",
    "generate",
    "read_tokenizer",
    "text_decoder",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.decoding' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
