"""Twelve models that people write by hand, each right in a way of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.contract.decoders import Decoder

_HEAD = """
archspec: 1
name: right
dims: {batch: [1, 2, 5], length: [1, 6, 24]}
inputs:
"""
IDS = f"""{_HEAD}
  ids: int64[batch, length] < 50
  valid: {{type: "bool[batch, length]", padding: PADDING}}
outputs:
  logits: float[batch, length, 50]
rules:
"""
CAUSAL = f"""{IDS}
  - causal: {{output: logits, input: ids}}
  - ignores: {{output: logits, input: ids, where: not valid}}
  - covers: {{output: logits, input: ids, mask: causal}}
"""
ENCODER = f"""{IDS}
  - ignores: {{output: logits, input: ids, where: not valid}}
  - sees: {{output: logits, input: ids}}
"""
FLOATS = f"""{_HEAD}
  x: float[batch, length, 8]
outputs:
  y: float[batch, length, 8]
rules:
"""
RUNNING = f"{FLOATS}  - causal: {{output: y, input: x}}\n  - covers: {{output: y, input: x, mask: causal}}\n"
WINDOW = f"""{FLOATS}
  - window: {{output: y, input: x, back: 4, ahead: 0}}
  - covers: {{output: y, input: x, mask: last(5)}}
"""
POOLED = f"""{_HEAD}
  x: float[batch, length, 8]
  valid: {{type: "bool[batch, length]", padding: any}}
outputs:
  y: float[batch, 8]
rules:
  - ignores: {{output: y, input: x, where: not valid}}
  - sees: {{output: y, input: x}}
"""
SEGMENTS = f"""{_HEAD}
  ids: int64[batch, length] < 50
  segment: {{type: "int64[batch, length]", sorted: true}}
outputs:
  logits: float[batch, length, 50]
rules:
  - segments: {{output: logits, input: ids, by: segment}}
  - causal: {{output: logits, input: ids}}
"""
PREFIX = f"""{_HEAD}
  ids: int64[batch, length] < 50
  given: int64[batch]
outputs:
  logits: float[batch, length, 50]
rules:
  - within: {{output: logits, input: ids, mask: causal | prefix(given)}}
"""


class Masked(Decoder):
    """Attention by PyTorch under a mask; rows that see no key give what PyTorch gives."""

    def allowed(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Bool [batch, length, length]."""
        raise AssertionError

    def forward(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        x = self.table(tokens)
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(x + F.scaled_dot_product_attention(q, k, v, attn_mask=self.allowed(tokens, other)))


class Padded(Masked):
    """Causal attention to valid keys."""

    def allowed(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Bool [batch, length, length]."""
        return torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril() & other[:, None]


class NotANumber(Decoder):
    """Its padding rows, which see no key, are NaN, as softmax leaves them."""

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        x = self.table(ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = (q @ k.mT).masked_fill(~self.mask(valid), float("-inf"))
        return self.out(x + scores.softmax(-1) @ v)


class Bidirectional(Masked):
    """Attention to all valid keys, with a bias of the dtype's least value for the others."""

    def forward(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        x = self.table(tokens)
        q, k, v = self.qkv(x).chunk(3, -1)
        bias = (~other).to(x.dtype)[:, None] * torch.finfo(x.dtype).min
        return self.out(x + (q @ k.mT + bias).softmax(-1) @ v)


class Packed(Masked):
    """Causal attention within segments."""

    def allowed(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Bool [batch, length, length]."""
        return torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril() & (
            other[:, None] == other[..., None]
        )


class Prefixed(Masked):
    """Causal attention, and to a prefix."""

    def allowed(self, tokens: Tensor, other: Tensor) -> Tensor:
        """Bool [batch, length, length]."""
        places = torch.arange(tokens.shape[1])
        return (places <= places[:, None]) | (places < other[:, None, None])


class Convolution(nn.Module):
    """A causal convolution of 5, and a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(8, 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, 8]."""
        return self.convolution(F.pad(x.mT, (4, 0))).mT


class Recurrent(nn.Module):
    """A GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, 8]."""
        return self.layer(x)[0]


class Linear(nn.Module):
    """Attention without a softmax, by a running sum."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, 8]."""
        q, k, v = self.qkv(x).chunk(3, -1)
        state = (F.elu(k)[..., None] * v[..., None, :]).cumsum(1)
        return (F.elu(q)[..., None, :] @ state).squeeze(-2)


class Spectral(nn.Module):
    """A causal convolution with a long kernel, by the Fourier transform."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(24, 8))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, 8]."""
        length, size = x.shape[1], 64
        product = torch.fft.rfft(x, size, dim=1) * torch.fft.rfft(self.kernel, size, dim=0)
        return torch.fft.irfft(product, size, dim=1)[:, :length]


class Pooled(nn.Module):
    """The mean over valid positions; zeros where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """[batch, 8]."""
        kept = torch.where(valid[..., None], self.layer(x), 0.0)
        return kept.sum(1) / valid.sum(1, keepdim=True).clamp(min=1)


class Normed(nn.Module):
    """A running mean behind a batch norm that was trained."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, 8]."""
        count = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)
        return self.norm((x.cumsum(1) / count[:, None]).mT).mT


@dataclass(frozen=True, kw_only=True)
class Right:
    """A model and the rules that hold of it."""

    build: Callable[[], nn.Module]
    rules: str


MODELS = {
    "padding at the right": Right(build=Padded, rules=CAUSAL.replace("PADDING", "right")),
    "padding at the left": Right(build=Padded, rules=CAUSAL.replace("PADDING", "left")),
    "padding anywhere": Right(build=Padded, rules=CAUSAL.replace("PADDING", "any")),
    "NaN at padding": Right(build=NotANumber, rules=CAUSAL.replace("PADDING", "left")),
    "an encoder with a bias of the least value": Right(build=Bidirectional, rules=ENCODER.replace("PADDING", "left")),
    "segments": Right(build=Packed, rules=SEGMENTS),
    "a prefix": Right(build=Prefixed, rules=PREFIX),
    "a convolution": Right(build=Convolution, rules=WINDOW),
    "a recurrence": Right(build=Recurrent, rules=RUNNING),
    "linear attention": Right(build=Linear, rules=RUNNING),
    "a convolution by the Fourier transform": Right(build=Spectral, rules=RUNNING),
    "a mean over valid positions": Right(build=Pooled, rules=POOLED),
    "a batch norm in eval mode": Right(build=Normed, rules=RUNNING),
}
