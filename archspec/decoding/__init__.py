"""Generation: token ids from a spec's `decode` section and a module's parameters.

The public names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.decoding.beams import BeamSearch
    from archspec.decoding.generation import decoder, generate
    from archspec.decoding.rows import DecodingStep, Generated
    from archspec.decoding.sampling import Sampling
    from archspec.decoding.slots import Slots
    from archspec.decoding.stepping import Decoder

_HOMES = {
    "BeamSearch": "archspec.decoding.beams",
    "Decoder": "archspec.decoding.stepping",
    "Generated": "archspec.decoding.rows",
    "DecodingStep": "archspec.decoding.rows",
    "Sampling": "archspec.decoding.sampling",
    "Slots": "archspec.decoding.slots",
    "decoder": "archspec.decoding.generation",
    "generate": "archspec.decoding.generation",
}

__all__ = ["BeamSearch", "Decoder", "DecodingStep", "Generated", "Sampling", "Slots", "decoder", "generate"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.decoding' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
