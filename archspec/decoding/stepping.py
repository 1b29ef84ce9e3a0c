"""Generation step by step: each sequence grows by one id per step until it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archspec.decoding.cached import CachedSteps
from archspec.decoding.ending import Ending
from archspec.decoding.feeding import Feeding
from archspec.decoding.full import FullForward
from archspec.decoding.parts import Parts, parts
from archspec.decoding.plan import GenerationPlan, plan
from archspec.decoding.prompts import Sequences, as_arrays, prepared, read_prompts
from archspec.decoding.rows import DecodingStep, Generated
from archspec.decoding.sampling import Sampling, choose
from archspec.decoding.scores import Scores
from archspec.decoding.step_module import StepModule, step_module
from archspec.diagnostics import Diagnostic, fail
from archspec.model.checked import Checked

GREEDY = Sampling()
CHUNK = 1024


class Decoder:
    """Generates with one spec and one set of parameters, which are shared with the module that they come from.

    Every step computes the new positions alone, from a cache of what they read of earlier ones. Where the spec has no
    such step, `refused` says why (E748), and every step runs the full forward on the whole sequences.
    """

    def __init__(
        self, checked: Checked, parameters: Mapping[str, Tensor], *, cached: bool = True, chunk: int = CHUNK
    ) -> None:
        """Prove what generation requires and create its modules.

        Args:
            checked: the spec.
            parameters: its parameters by name; the first float one gives the device and the dtype of float inputs.
            cached: False runs the full forward at every step, which gives the same ids.
            chunk: the largest number of positions that a cached step takes at once; longer prompts are fed in parts.

        Raises:
            SpecError: E740 to E746 if the spec cannot generate, E501 to E503 and E607 as in `parts`.
        """
        if chunk < 1:
            fail("E744", f"`chunk` must be at least 1, got {chunk}", None)
        self.plan: GenerationPlan = plan(checked.spec)
        first = next((one for one in parameters.values() if one.is_floating_point()), torch.empty(0))
        self._feeding = Feeding(plan=self.plan, device=first.device, dtype=first.dtype)
        self._chunk = chunk
        made = step_module(checked, parameters) if cached else None
        self.refused: Diagnostic | None = made if isinstance(made, Diagnostic) else None
        self.runs: StepModule | Parts
        self.runs = made if isinstance(made, StepModule) else parts(checked, self.plan.decode, parameters)

    def logits_of(self, sequences: Sequences, given: Mapping[str, Tensor], max_new: int) -> CachedSteps | FullForward:
        """What computes the logits of sequences that grow in place, from the inputs that stay the same."""
        if isinstance(self.runs, StepModule):
            return CachedSteps(self.runs, self._feeding, sequences, given, max_new=max_new, chunk=self._chunk)
        return FullForward(self.runs, self._feeding, sequences, given)

    def generate(
        self,
        prompts: Any = None,
        *,
        max_new: int,
        inputs: Mapping[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        min_new: int = 0,
        stop: Sequence[int] = (),
        log_probabilities: bool = False,
    ) -> tuple[Generated, ...]:
        """Generate all ids; arguments and errors are those of `stream`.

        `log_probabilities` also gives the log-probability of each new id.
        """
        ending = Ending(max_new=max_new, min_new=min_new, stop=tuple(stop))
        sequences = read_prompts(self.plan, prompts, as_arrays(inputs), max_new)
        ends = ending.ends(self.plan)
        new: list[list[int]] = [[] for _ in sequences]
        likely: list[list[float]] = [[] for _ in sequences]
        for step in self._steps(prompts, ending, inputs, sampling):
            found = step.log_probabilities() if log_probabilities else [0.0] * len(step.ids)
            for row, id, one in zip(step.rows, step.ids, found, strict=True):
                new[row].append(id)
                likely[row].append(one)
        return tuple(
            Generated(
                prompt=tuple(first),
                ids=tuple(ids),
                ended=bool(ids) and ids[-1] in ends,
                log_probabilities=tuple(ones) if log_probabilities else None,
            )
            for first, ids, ones in zip(sequences, new, likely, strict=True)
        )

    def stream(
        self,
        prompts: Any = None,
        *,
        max_new: int,
        inputs: Mapping[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        min_new: int = 0,
        stop: Sequence[int] = (),
    ) -> Iterator[DecodingStep]:
        """Generate step by step.

        Args:
            prompts: ids of each row, of any lengths; may be None if the spec has a start id.
            max_new: the maximum number of new ids per row.
            inputs: the spec's other inputs by name, with as many rows as there are prompts.
            sampling: how ids are chosen.
            min_new: the minimum number of new ids per row: no end id is chosen before.
            stop: ids that end a row, beside the end ids of the spec.

        Returns:
            an iterator over the steps, with their ids and logits.

        Raises:
            SpecError: E711 to E720 and E741 to E745 for invalid arguments, before anything runs; E747 during iteration.
        """
        return self._steps(prompts, Ending(max_new=max_new, min_new=min_new, stop=tuple(stop)), inputs, sampling)

    def _steps(
        self, prompts: Any, ending: Ending, inputs: Mapping[str, Any] | None, sampling: Sampling
    ) -> Iterator[DecodingStep]:
        ends = ending.ends(self.plan)
        arrays = as_arrays(inputs)
        sequences = read_prompts(self.plan, prompts, arrays, ending.max_new)
        given = {name: self._tensor(array) for name, array in prepared(self.plan, sequences, arrays).items()}
        scores = Scores(self.plan, sampling, sequences, ends, ending.min_new)
        return _Run(self, sequences, given, sampling, scores).steps(ending.max_new, ends)

    def _tensor(self, array: Any) -> Tensor:
        found = torch.from_numpy(np.ascontiguousarray(array))
        return found.to(self._feeding.device, self._feeding.dtype if found.is_floating_point() else None)


class _Run:
    """One generation: its sequences, which are extended in place, and the random numbers of each."""

    def __init__(
        self, decoder: Decoder, sequences: Sequences, given: dict[str, Tensor], sampling: Sampling, scores: Scores
    ) -> None:
        self.decoder, self.sequences, self.given = decoder, sequences, given
        self.sampling, self.scores = sampling, scores
        self.streams = [sampling.stream(row) for row in range(len(sequences))]

    def steps(self, max_new: int, ends: frozenset[int]) -> Iterator[DecodingStep]:
        """Yield the steps, until every row has ended or has `max_new` new ids."""
        active = list(range(len(self.sequences)))
        # No `no_grad` around the whole loop: it would stay active in the caller's code between two steps.
        with torch.no_grad():
            source = self.decoder.logits_of(self.sequences, self.given, max_new)
        for number in range(max_new):
            with torch.no_grad():
                logits = source.logits(active)
                scores = self.scores.of(logits, active, number)
                ids = choose(scores, self.sampling, [self.streams[row] for row in active])
            for row, id in zip(active, ids, strict=True):
                self.sequences[row].append(id)
            yield DecodingStep(rows=tuple(active), ids=tuple(ids), logits=logits)
            active = [row for row, id in zip(active, ids, strict=True) if id not in ends]
            if not active:
                return
