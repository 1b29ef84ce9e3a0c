"""Words and numbers in diagrams."""

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
    "relu6": "ReLU6",
    "gelu": "GELU",
    "gelu_tanh": "GELU",
    "quick_gelu": "quick GELU",
    "silu": "SiLU",
}


def said(word: str) -> str:
    """The usual spelling of a word of the language, such as `ReLU` for `relu`."""
    return _SAID.get(word, word.replace("_", " "))


def class_words(name: str) -> str:
    """A class name in words: `LocalDecoderLayer` is `local decoder layer`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def shape(type_: TensorType) -> str:
    """The axes of a type: `[batch, src, 512]`."""
    return f"[{', '.join(map(str, type_.axes))}]"


def size(dim: Dim) -> str:
    """A size as text, with separators between thousands."""
    return f"{dim.constant:,}" if dim.constant is not None else str(dim)


def count(number: int) -> str:
    """A number of parameters, to three digits: `63.1M parameters`."""
    # By digits, since a logarithm may be rounded across a power of 1000.
    power = min((len(str(number)) - 1) // 3, len(_UNITS) - 1)
    return f"{number / 1000**power:.3g}{_UNITS[power]} parameters"
