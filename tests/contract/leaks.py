"""Models that leak under one condition alone: at a size, in a row, past a chunk, or where float64 does not tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tests.contract.decoders import Decoder

RULES = """
archspec: 1
name: my-decoder
dims: {batch: [1, 2, 6], length: [2, 6, 24]}
inputs:
  ids: int64[batch, length] < 50
  valid: {type: "bool[batch, length]", default: true}
outputs:
  logits: float[batch, length, 50]
rules:
  - causal: {output: logits, input: ids}
  - ignores: {output: logits, input: ids, where: not valid}
"""
CHUNKED = RULES.replace("[2, 6, 24]", "[2, 6, 64]").replace(
    "  - ignores", "  - within: {output: logits, input: ids, mask: last(8)}\n  - ignores"
)
LONG = RULES.replace("[2, 6, 24]", "[1, 6, 40]")
PACKED = """
archspec: 1
name: my-packed-decoder
dims: {batch: [1, 2, 6], length: [1, 6, 40]}
inputs:
  ids: int64[batch, length] < 50
  segment: {type: "int64[batch, length]", sorted: true}
outputs:
  logits: float[batch, length, 50]
rules:
  - segments: {output: logits, input: ids, by: segment}
"""
RIGHT = RULES.replace("default: true", "padding: right")
Change = Callable[[Tensor, Tensor], Tensor]


class Leaky(Decoder):
    """A decoder whose mask is changed where a condition holds."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change

    def mask(self, valid: Tensor) -> Tensor:
        """What each position sees: bool [batch, length, length]."""
        return self.change(super().mask(valid), valid)


def ahead(mask: Tensor, where: Tensor | bool) -> Tensor:
    """One position ahead is seen too, by the rows [batch or 1, length or 1] where that is asked for."""
    wider = mask | torch.ones_like(mask).tril(1)
    chosen = torch.as_tensor(where).expand(mask.shape[:2])
    return torch.where(chosen[..., None], wider, mask)


def unmasked(mask: Tensor, where: Tensor | bool) -> Tensor:
    """Padding is seen too, by the rows where that is asked for."""
    wider = torch.ones_like(mask).tril(0)
    chosen = torch.as_tensor(where).expand(mask.shape[:2])
    return torch.where(chosen[..., None], wider, mask)


def row(valid: Tensor, number: int) -> Tensor:
    """Which row has a number: bool [batch, 1]."""
    return (torch.arange(len(valid)) == number)[:, None]


def position(valid: Tensor, number: int) -> Tensor:
    """Which position has a number: bool [1, length]."""
    return (torch.arange(valid.shape[1]) == number)[None]


def pair(mask: Tensor, query: int, key: int, valid: Tensor | bool = True) -> Tensor:
    """One query sees one key more, in the rows [batch] where that is asked for."""
    if mask.shape[1] <= max(query, key):
        return mask
    wider = mask.clone()
    wider[:, query, key] |= torch.as_tensor(valid)
    return wider


class Packed(Decoder):
    """A decoder that keeps segments apart, but for one pair of positions."""

    def forward(self, ids: Tensor, segment: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        self.segment = segment
        return super().forward(ids, torch.ones_like(ids, dtype=torch.bool))

    def mask(self, valid: Tensor) -> Tensor:
        """What each position sees: bool [batch, length, length]."""
        same = self.segment[:, :, None] == self.segment[:, None, :]
        return pair(same, *self.leak) if self.leak else same

    leak: tuple[int, int] | None = (23, 24)


class SoundlyPacked(Packed):
    """A decoder that keeps segments apart."""

    leak = None


def windowed(mask: Tensor) -> Tensor:
    """The mask within windows of 8."""
    return mask & torch.ones_like(mask).triu(-7)


def second_chunk(mask: Tensor, valid: Tensor) -> Tensor:
    """Chunks of 8 read the one before, and the last position of the second one a position of its next."""
    return ahead(windowed(mask), position(valid, 15))


class Meaning(Decoder):
    """A decoder that reads the mean over the batch where it has a given size."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        logits = super().forward(ids, valid)
        return logits - logits.mean(0) if len(ids) == self.batch else logits


class NotInDouble(Decoder):
    """A decoder that looks ahead, and gives NaN in float64."""

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        logits = super().forward(ids, valid)
        return logits * float("nan") if logits.dtype == torch.float64 else logits


class SoundInDouble(Decoder):
    """A decoder that masks in float64 alone."""

    def mask(self, valid: Tensor) -> Tensor:
        """What each position sees: bool [batch, length, length]."""
        mask = super().mask(valid)
        return mask if self.out.weight.dtype == torch.float64 else ahead(mask, True)


class Biased(Decoder):
    """A decoder that adds a number to the scores that it ought to mask."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        x = self.table(ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(-1, -2) + (~self.mask(valid)) * self.bias
        return self.out(x + scores.softmax(-1) @ v)


class Normed(Decoder):
    """A decoder with a batch norm that never leaves its training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(50, track_running_stats=False)

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Logits [batch, length, 50]."""
        return self.norm(super().forward(ids, valid).transpose(1, 2)).transpose(1, 2)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, its rules, the claim that it breaks, and what the report says of it."""

    build: Callable[[], nn.Module]
    claim: str
    rules: str = RULES
    says: str = ""


def leaky(change: Change, claim: str, **options: str) -> Case:
    return Case(build=lambda: Leaky(change), claim=claim, **options)


def biased(bias: float) -> Case:
    return Case(build=lambda: Biased(bias), claim="causal", rules=RIGHT, says="only where scores are large")


CASES = {
    "the largest length": leaky(lambda mask, valid: ahead(mask, valid.shape[1] == 24), "causal", says="length=24"),
    "the least length": leaky(lambda mask, valid: ahead(mask, valid.shape[1] == 2), "causal", says="length=2"),
    "the last position of the largest length": leaky(
        lambda mask, valid: ahead(mask, position(valid, 22)), "causal", says=", 22] depends on ids["
    ),
    "rows without padding": leaky(lambda mask, valid: ahead(mask, valid.all(1, keepdim=True)), "causal"),
    "the shortest rows": leaky(lambda mask, valid: unmasked(mask, valid.sum(1, keepdim=True) == 1), "ignores"),
    "rows with two valid positions": leaky(
        lambda mask, valid: unmasked(mask, valid.sum(1, keepdim=True) == 2), "ignores"
    ),
    "one row": leaky(lambda mask, valid: ahead(mask, row(valid, 1)), "causal", says="logits[1, 0]"),
    "the last row of the largest batch": leaky(lambda mask, valid: ahead(mask, row(valid, 5)), "causal", says="[5, "),
    "padding of one row": leaky(lambda mask, valid: unmasked(mask, row(valid, 2)), "ignores", says="logits[2"),
    "a batch of one": leaky(lambda mask, valid: unmasked(mask, len(valid) == 1), "ignores", says="batch=1"),
    "the largest batch": Case(build=lambda: Meaning(6), claim="independent(batch)", says="batch=6"),
    "the second chunk": leaky(second_chunk, "causal", rules=CHUNKED, says="depends on ids[0, 16]"),
    "one pair in the middle of a length of 40": leaky(
        lambda mask, valid: pair(mask, 20, 21), "causal", rules=LONG, says="20] depends on ids["
    ),
    "one far pair at a length of 40": leaky(lambda mask, valid: pair(mask, 7, 33), "causal", rules=LONG, says=", 33]"),
    "a length of 2": leaky(
        lambda mask, valid: ahead(mask, valid.shape[1] == 2), "causal", rules=LONG, says="batch=2, length=2"
    ),
    "a length of 3": leaky(lambda mask, valid: ahead(mask, valid.shape[1] == 3), "causal", rules=LONG, says="length=3"),
    "the typical length": leaky(
        lambda mask, valid: ahead(mask, valid.shape[1] == 17), "causal", rules=LONG.replace("6, 40", "17, 40")
    ),
    "one pair of padding": leaky(lambda mask, valid: pair(mask, 30, 29), "ignores", rules=LONG, says="depends on ids["),
    "one pair at the first position of padding": leaky(
        lambda mask, valid: pair(mask, 20, 21), "ignores", rules=LONG.replace("default: true", "padding: right")
    ),
    "one pair of neighbouring segments": Case(build=Packed, claim="segments", rules=PACKED, says="depends on ids["),
    "NaN in float64": Case(build=lambda: NotInDouble("one position ahead"), claim="causal"),
    "a mask in float64 alone": Case(build=SoundInDouble, claim="causal"),
    "a bias of -10,000 for a mask": biased(-1e4),
    "a bias of -100 for a mask": biased(-100.0),
    "a batch norm in training mode": Case(build=Normed, claim="independent(batch)", says="call `eval()` on the model"),
}
