"""Generation step by step: each sequence grows by one id per step until it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archspec.decoding.parts import Parts, parts
from archspec.decoding.plan import GenerationPlan, at_least, plan
from archspec.decoding.prompts import Sequences, as_arrays, prepared, read_prompts
from archspec.decoding.rows import DecodingStep, Generated, RowBlock, block
from archspec.decoding.sampling import Sampling, choose
from archspec.ir.types import DType
from archspec.model.checked import Checked

_DTYPES = {DType.INT64: torch.int64, DType.INT32: torch.int32, DType.BOOL: torch.bool}
GREEDY = Sampling()


class Decoder:
    """Generates with one spec and one set of parameters, which are shared with the module that they come from.

    Every step runs the graph on the whole sequences, except for the part that does not depend on them, which runs once
    per call for all rows. Rows that have ended are left out where the batch size allows it.
    """

    def __init__(self, checked: Checked, parameters: Mapping[str, Tensor]) -> None:
        """Prove what generation requires and create its modules.

        Args:
            checked: the spec.
            parameters: its parameters by name; the first float one gives the device and the dtype of float inputs.

        Raises:
            SpecError: E740 to E746 if the spec cannot generate, E501 to E503 and E607 as in `parts`.
        """
        self.plan: GenerationPlan = plan(checked.spec)
        self.parts: Parts = parts(checked, self.plan.decode, parameters)
        first = next((one for one in parameters.values() if one.is_floating_point()), torch.empty(0))
        self.device, self.dtype = first.device, first.dtype

    def generate(
        self,
        prompts: Any = None,
        *,
        max_new: int,
        inputs: Mapping[str, Any] | None = None,
        sampling: Sampling = GREEDY,
    ) -> tuple[Generated, ...]:
        """Generate all ids; arguments and errors are those of `stream`."""
        sequences = read_prompts(self.plan, prompts, as_arrays(inputs), max_new)
        new: list[list[int]] = [[] for _ in sequences]
        for step in self.stream(prompts, max_new=max_new, inputs=inputs, sampling=sampling):
            for row, id in zip(step.rows, step.ids, strict=True):
                new[row].append(id)
        return tuple(
            Generated(prompt=tuple(first), ids=tuple(ids), ended=bool(ids) and ids[-1] in self.plan.decode.end)
            for first, ids in zip(sequences, new, strict=True)
        )

    def stream(
        self,
        prompts: Any = None,
        *,
        max_new: int,
        inputs: Mapping[str, Any] | None = None,
        sampling: Sampling = GREEDY,
    ) -> Iterator[DecodingStep]:
        """Generate step by step.

        Args:
            prompts: ids of each row, of any lengths; may be None if the spec has a start id.
            max_new: the maximum number of new ids per row.
            inputs: the spec's other inputs by name, with as many rows as there are prompts.
            sampling: how ids are chosen.

        Returns:
            an iterator over the steps, with their ids and logits.

        Raises:
            SpecError: E711 to E720 and E741 to E745 for invalid arguments, before anything runs; E747 during iteration.
        """
        arrays = as_arrays(inputs)
        sequences = read_prompts(self.plan, prompts, arrays, max_new)
        given = {name: self._tensor(array) for name, array in prepared(self.plan, sequences, arrays).items()}
        return _Run(self, sequences, given, sampling).steps(max_new)

    def _tensor(self, array: Any) -> Tensor:
        found = torch.from_numpy(np.ascontiguousarray(array))
        return found.to(self.device, self.dtype if found.is_floating_point() else None)


class _Run:
    """One generation: its sequences, which are extended in place, and the tensors that stay the same."""

    def __init__(self, decoder: Decoder, sequences: Sequences, given: dict[str, Tensor], sampling: Sampling) -> None:
        self.plan, self.parts, self.device = decoder.plan, decoder.parts, decoder.device
        self.dtype = decoder.dtype
        self.sequences = sequences
        self.sampling = sampling
        self.streams = [sampling.stream(row) for row in range(len(sequences))]
        self.given = given
        self.sizes = _sizes(self.plan, given)

    def steps(self, max_new: int) -> Iterator[DecodingStep]:
        """Yield the steps, until every row has ended or has `max_new` new ids."""
        active = list(range(len(self.sequences)))
        # No `no_grad` around the whole loop: it would stay active in the caller's code between two steps.
        with torch.no_grad():
            if self.parts.once is not None:
                self.given = {**self.given, **self.parts.once.run(self.given)}
        for _ in range(max_new):
            with torch.no_grad():
                logits = self._logits(active)
                ids = choose(self._allowed(logits), self.sampling, [self.streams[row] for row in active])
            for row, id in zip(active, ids, strict=True):
                self.sequences[row].append(id)
            yield DecodingStep(rows=tuple(active), ids=tuple(ids), logits=logits)
            active = [row for row, id in zip(active, ids, strict=True) if id not in self.plan.decode.end]
            if not active:
                return

    def _allowed(self, logits: Tensor) -> Tensor:
        """Logits with -inf for the banned ids of `decode`."""
        banned = [id for id in self.plan.decode.ban if id < logits.shape[-1]]
        if not banned:
            return logits
        return logits.index_fill(-1, torch.tensor(banned, device=logits.device), -torch.inf)

    def _logits(self, rows: Sequence[int]) -> Tensor:
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
        whole = index == list(range(len(self.sequences)))
        kept = {name: one if whole or name not in self.parts.led else one[index] for name, one in self.given.items()}
        result = self.parts.step.run({**kept, **self._grown(filled)})[self.plan.decode.output]
        places = torch.tensor([index.index(row) for row in rows], device=self.device)
        return result[places, torch.from_numpy(filled.last).to(self.device)[places]]

    def _beside(self, rows: Sequence[int]) -> list[int]:
        """Numbers of the rows to run: these, with copies of the last up to an admitted batch size, or else all.

        All must run if single rows cannot be selected from an input.
        """
        if self.parts.inside:
            return list(range(len(self.sequences)))
        return [*rows, *[rows[-1]] * (self._count(len(rows)) - len(rows))]

    def _count(self, rows: int) -> int:
        """The admitted batch size for `rows` rows: the batch may have a fixed or a least size, or a multiple."""
        if self.plan.rows is not None:
            return at_least(self.plan.rows, rows)
        return self.plan.spec.inputs[self.plan.decode.input].type.shape[0].constant or rows

    def _grown(self, filled: RowBlock) -> dict[str, Tensor]:
        """The fed-back input and the other growing inputs as tensors, by name."""
        growing, spec = self.plan.growing, self.plan.spec
        arrays: dict[str, Any] = {self.plan.decode.input: filled.ids}
        if growing.valid is not None:
            arrays[growing.valid] = filled.valid
        arrays |= dict.fromkeys(growing.positions, filled.positions)
        found = {name: torch.from_numpy(one).to(self.device, self._dtype(name)) for name, one in arrays.items()}
        sizes = dict(self.sizes)
        for symbol, size in ((self.plan.rows, filled.ids.shape[0]), (self.plan.length, filled.ids.shape[1])):
            if symbol is not None:
                sizes[symbol.name] = size
        for name in growing.constant:
            shape = tuple(size.value(sizes) for size in spec.inputs[name].type.shape)
            fill = spec.inputs[name].default
            # `growing` raises SpecError E745 for such an input without a default.
            assert fill is not None
            found[name] = torch.full(shape, fill, dtype=self._dtype(name), device=self.device)
        return found

    def _dtype(self, name: str) -> torch.dtype:
        return _DTYPES.get(self.plan.spec.inputs[name].type.dtype, self.dtype)


def _sizes(plan: GenerationPlan, given: Mapping[str, Tensor]) -> dict[str, int]:
    """The size of each dim: that of an axis of a given input that consists of the dim alone, else the typical size."""
    ports = {port.name: port for port in plan.interface.input_ports}
    found = {symbol.name: symbol.typical for symbol in plan.interface.symbols}
    for name, tensor in given.items():
        for dim, size in zip(ports[name].type.shape, tensor.shape, strict=True):
            if len(dim.symbols()) == 1 and str(dim) in found:
                found[str(dim)] = int(size)
    return found
