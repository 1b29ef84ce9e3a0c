"""A decoder as people write them by hand, and the mistakes that they make."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RULES = """
archspec: 1
name: my-decoder
dims: {batch: [1, 2, 4], length: [1, 6, 16]}
inputs:
  ids: int64[batch, length] < 50
  valid: {type: "bool[batch, length]", default: true}
outputs:
  logits: float[batch, length, 50]
rules:
  - causal: {output: logits, input: ids}
  - ignores: {output: logits, input: ids, where: not valid}
  - covers: {output: logits, input: ids, mask: causal}
"""


class Decoder(nn.Module):
    """One layer of attention. `mistake` is what is wrong with it."""

    def __init__(self, mistake: str = "") -> None:
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.qkv = nn.Linear(16, 48)
        self.out = nn.Linear(16, 50)
        self.mistake = mistake

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        x = self.table(ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(-1, -2)
        weights = scores.masked_fill(~self.mask(valid), float("-inf")).softmax(-1).nan_to_num()
        if self.mistake == "mean over the batch":
            v = v - v.mean(0)
        if self.mistake == "padding forgotten in a mean":
            v = v - v.cumsum(1) / 16
        if self.mistake == "sees nothing but itself":
            return self.out(x + v)
        return self.out(x + weights @ v)

    def mask(self, valid: Tensor) -> Tensor:
        length = valid.shape[1]
        past = torch.ones(length, length, dtype=torch.bool).tril(1 if self.mistake == "one position ahead" else 0)
        if self.mistake == "looks ahead after position 4":
            past[5:] = True
        if self.mistake == "no padding mask":
            return past.expand(len(valid), -1, -1)
        return past & valid[:, None, :]
