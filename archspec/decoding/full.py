"""Logits from the full forward: every step runs on the whole sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from archspec.decoding.feeding import Feeding
from archspec.decoding.parts import Parts
from archspec.decoding.prompts import Sequences
from archspec.decoding.rows import block


class FullForward:
    """The logits of growing sequences, computed anew at every step.

    The part that does not depend on the sequences runs once for all rows. Rows that have ended are left out where the
    batch size allows it.
    """

    def __init__(self, parts: Parts, feeding: Feeding, sequences: Sequences, given: Mapping[str, Tensor]) -> None:
        self.parts, self.feeding, self.plan = parts, feeding, feeding.plan
        self.sequences = sequences
        self.sizes = feeding.sizes(given)
        self.types = {one.name: one.type for one in self.plan.spec.inputs.values()}
        self.given = {**given, **(parts.once.run(given) if parts.once is not None else {})}

    @property
    def selects(self) -> bool:
        """Whether rows can be repeated, reordered and left out."""
        return not self.parts.inside

    def select(self, places: Sequence[int]) -> None:
        """Make each row a continuation of the row at a place; the sequences are changed by the caller."""
        self.given = {name: one[list(places)] if name in self.parts.led else one for name, one in self.given.items()}

    def logits(self, rows: Sequence[int]) -> Tensor:
        """Logits [rows, vocab] at the last position of each row; with side `none` only equal lengths run together."""
        lengths = [len(self.sequences[row]) if self.plan.side == "none" else 0 for row in rows]
        found: dict[int, Tensor] = {}
        for length in dict.fromkeys(lengths):
            together = [row for row, own in zip(rows, lengths, strict=True) if own == length]
            found.update(zip(together, self._run(together), strict=True))
        return torch.stack([found[row] for row in rows])

    def _run(self, rows: Sequence[int]) -> Tensor:
        """Logits [rows, vocab] of rows that run together."""
        index = self._beside(rows)
        # Other rows only fill up the batch: rows are proved to be independent, so that their contents do not matter.
        sequences = [self.sequences[row if row in rows else rows[0]] for row in index]
        filled = block(sequences, self.plan.admitted(max(map(len, sequences))), self.plan.side)
        # Selecting all rows would only copy the inputs.
        whole = index == list(range(len(self.sequences)))
        kept = {name: one if whole or name not in self.parts.led else one[index] for name, one in self.given.items()}
        fed = self.feeding.tensors(filled, self.types, self._sizes(*filled.ids.shape))
        result = self.parts.step.run({**kept, **fed})[self.plan.decode.output]
        # Of a row and its copies the first counts.
        places = torch.tensor([index.index(row) for row in rows], device=self.feeding.device)
        return result[places, torch.from_numpy(filled.last).to(self.feeding.device)[places]]

    def _sizes(self, rows: int, length: int) -> dict[str, int]:
        own = ((self.plan.rows, rows), (self.plan.length, length))
        return {**self.sizes, **{symbol.name: size for symbol, size in own if symbol is not None}}

    def _beside(self, rows: Sequence[int]) -> list[int]:
        """Numbers of the rows to run: these, with copies of the last up to an admitted batch size, or else all.

        All must run if single rows cannot be selected from an input.
        """
        if self.parts.inside:
            return list(range(len(self.sequences)))
        return [*rows, *[rows[-1]] * (self.plan.batch(len(rows)) - len(rows))]
