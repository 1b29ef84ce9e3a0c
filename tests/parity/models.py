"""Reference models with every parameter filled, and small sizes drawn by a seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archspec.contract.fill import fill

__all__ = ["TOLERANCE", "EncoderDecoder", "Size", "fill", "filled", "ids", "right_padded", "size"]

TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}


def filled(model: nn.Module, seed: int) -> nn.Module:
    """Every parameter and every statistic at random, so that none can be lost."""
    generator = torch.Generator().manual_seed(seed)
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point():
            noise = 0.3 * torch.randn(buffer.shape, generator=generator)
            buffer.copy_(1 + noise.abs() if name.endswith("var") else noise)
        else:
            buffer.fill_(seed + 5)
    return fill(model, seed)


@dataclass(frozen=True, kw_only=True)
class Size:
    """A small architecture, and the two lengths that it is run at."""

    layers: int
    heads: int
    width: int
    hidden: int
    vocab: int
    context: int
    lengths: tuple[int, int]

    def constants(self) -> dict[str, str]:
        """Overrides of a spec's constants."""
        named = {"layers": self.layers, "heads": self.heads, "d_model": self.width, "d_ff": self.hidden}
        return {name: str(value) for name, value in named.items()}


WIDE = Size(layers=2, heads=4, width=320, hidden=640, vocab=50, context=16, lengths=(5, 16))
"""Wide enough that activations are far from linear: narrow models cannot tell the two forms of GELU apart."""


def size(seed: int) -> Size:
    """Small sizes drawn by a seed; seed 0 is the wide one."""
    if seed == 0:
        return WIDE
    draw = random.Random(seed)
    heads = draw.choice([1, 2, 3, 5])
    context = draw.randint(12, 20)
    return Size(
        layers=draw.randint(1, 3),
        heads=heads,
        width=heads * 2 * draw.randint(2, 5),
        hidden=draw.randint(7, 40),
        vocab=draw.randint(20, 60),
        context=context,
        lengths=(draw.randint(2, 7), context),
    )


def ids(size: Size, batch: int, length: int, seed: int) -> Tensor:
    return torch.randint(size.vocab, (batch, length), generator=torch.Generator().manual_seed(seed))


def right_padded(batch: int, length: int) -> Tensor:
    """True where a position is valid: sequences of different lengths, the first one whole."""
    lengths = torch.tensor([max(1, length - 2 * row) for row in range(batch)])
    return torch.arange(length) < lengths[:, None]


class EncoderDecoder(nn.Module):
    """`torch.nn.Transformer` between a table, shared by source, target and logits, and sinusoids."""

    def __init__(self, size: Size, *, norm_first: bool) -> None:
        super().__init__()
        options = {"dim_feedforward": size.hidden, "batch_first": True, "norm_first": norm_first}
        norms = [nn.LayerNorm(size.width) if norm_first else None for _ in range(2)]
        encoder = nn.TransformerEncoderLayer(size.width, size.heads, **options)
        decoder = nn.TransformerDecoderLayer(size.width, size.heads, **options)
        self.width = size.width
        self.embedding = nn.Embedding(size.vocab, size.width)
        self.transformer = nn.Transformer(
            size.width,
            size.heads,
            batch_first=True,
            custom_encoder=nn.TransformerEncoder(encoder, size.layers, norms[0], enable_nested_tensor=False),
            custom_decoder=nn.TransformerDecoder(decoder, size.layers, norms[1]),
        )

    def embed(self, ids: Tensor) -> Tensor:
        rates = [10000 ** (-2 * (feature // 2) / self.width) for feature in range(self.width)]
        turns = [
            [(math.cos if feature % 2 else math.sin)(place * rate) for feature, rate in enumerate(rates)]
            for place in range(ids.shape[1])
        ]
        return self.embedding(ids) * math.sqrt(self.width) + torch.tensor(turns, dtype=torch.float64).float()

    def forward(self, src: Tensor, valid: Tensor, tgt: Tensor) -> Tensor:
        ahead = torch.ones(tgt.shape[1], tgt.shape[1], dtype=torch.bool).triu(1)
        states = self.transformer(
            self.embed(src),
            self.embed(tgt),
            tgt_mask=ahead,
            src_key_padding_mask=~valid,
            memory_key_padding_mask=~valid,
        )
        return states @ self.embedding.weight.T
