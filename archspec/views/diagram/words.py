"""How things are called in a picture."""

from __future__ import annotations

import re

from archspec.algebra.dim import Dim
from archspec.ir.types import TensorType

_UNITS = ("", "k", "M", "B", "T")
_SAID = {
    "layer_norm": "Layer norm",
    "rms_norm": "RMS norm",
    "batch_norm": "Batch norm",
    "group_norm": "Group norm",
    "relu": "ReLU",
    "relu_squared": "ReLU squared",
    "gelu": "GELU",
    "gelu_tanh": "GELU",
    "quick_gelu": "quick GELU",
    "silu": "SiLU",
}


def said(word: str) -> str:
    """A word of the language as people write it."""
    return _SAID.get(word, word.replace("_", " "))


def class_words(name: str) -> str:
    """`LocalDecoderLayer` is `local decoder layer`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def sentence(text: str) -> str:
    """With a capital letter first."""
    return text[:1].upper() + text[1:]


def shape(type_: TensorType) -> str:
    """`[batch, src, 512]`."""
    return f"[{', '.join(map(str, type_.axes))}]"


def size(dim: Dim) -> str:
    """A size, its thousands apart."""
    return f"{dim.constant:,}" if dim.constant is not None else str(dim)


def count(number: int) -> str:
    """`63.1M parameters`."""
    power = min((len(str(number)) - 1) // 3, len(_UNITS) - 1)
    return f"{number / 1000**power:.3g}{_UNITS[power]} parameters"
