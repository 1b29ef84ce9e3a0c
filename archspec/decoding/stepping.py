"""Generation step by step: each sequence grows by one id per step until it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archspec.decoding.beams import Beam, BeamSearch, PromptSearch
from archspec.decoding.cached import CachedSteps
from archspec.decoding.cached_rows import CachedRows
from archspec.decoding.ending import Ending, read_stop
from archspec.decoding.feeding import Feeding
from archspec.decoding.full import FullForward
from archspec.decoding.parts import Parts, parts
from archspec.decoding.plan import GenerationPlan, plan
from archspec.decoding.prompts import Sequences, prepared, read_inputs, read_prompts
from archspec.decoding.rows import DecodingStep, Generated
from archspec.decoding.sampling import Sampling, choose
from archspec.decoding.scores import Scores
from archspec.decoding.searching import Searches, check_search
from archspec.decoding.slot_inputs import SlotInputs, check_slots
from archspec.decoding.slots import DecodingSlots
from archspec.decoding.step_module import StepModule, step_module
from archspec.decoding.step_runner import StepRunner
from archspec.diagnostics import Diagnostic, SpecError, fail
from archspec.model.checked import Checked

GREEDY = Sampling()
ONE_BEAM = BeamSearch()
CHUNK = 1024


class Decoder:
    """Generates with one spec and one set of parameters, which are shared with the module that they come from.

    Every step computes only the new positions, from a cache of what they read of earlier ones. Where the spec has no
    such step, `refused` says why (E748), and every step runs the full forward on the whole sequences.
    """

    def __init__(
        self,
        checked: Checked,
        parameters: Mapping[str, Tensor] | StepRunner,
        *,
        cached: bool = True,
        chunk: int = CHUNK,
        chosen: str = "",
    ) -> None:
        """Prove what generation requires and create its modules.

        Args:
            checked: the spec.
            parameters: its parameters by name; the first float one gives the device and the dtype of float inputs. Or
                what computes its steps on the CPU.
            cached: False runs the full forward at every step, which gives the same ids.
            chosen: which artifact of a bundle computes the steps, and why; "" without a bundle.
            chunk: the largest number of positions that a cached step takes at once; longer prompts are fed in parts.

        Raises:
            SpecError: E740 to E746 if the spec cannot generate, E501 to E503 and E607 as in `parts`.
        """
        if chunk < 1:
            fail("E744", f"`chunk` must be at least 1, got {chunk}", None)
        self.plan: GenerationPlan = plan(checked.spec)
        tensors = parameters if isinstance(parameters, Mapping) else {}
        # What runs an artifact has no parameters here: its tensors are made on the CPU.
        first = next((one for one in tensors.values() if one.is_floating_point()), torch.empty(0))
        self._feeding = Feeding(plan=self.plan, device=first.device, dtype=first.dtype)
        self._chunk = chunk
        self.chosen = chosen
        self.refused: Diagnostic | None = None
        self.runs: StepRunner | Parts
        if not isinstance(parameters, Mapping):
            self.runs = parameters
            return
        made = step_module(checked, parameters) if cached else None
        self.refused = made if isinstance(made, Diagnostic) else None
        self.runs = made if isinstance(made, StepModule) else parts(checked, self.plan.decode, parameters)

    def logits_of(self, sequences: Sequences, given: Mapping[str, Tensor], max_new: int) -> CachedSteps | FullForward:
        """What computes the logits of sequences that grow in place, from the inputs that stay the same."""
        if not isinstance(self.runs, Parts):
            return CachedSteps(self.runs, self._feeding, sequences, given, max_new=max_new, chunk=self._chunk)
        return FullForward(self.runs, self._feeding, sequences, given)

    def generate(
        self,
        prompts: Any = None,
        *,
        max_new: int,
        inputs: Mapping[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        search: BeamSearch = ONE_BEAM,
        min_new: int = 0,
        stop: Sequence[int] = (),
        log_probabilities: bool = False,
    ) -> tuple[Generated, ...]:
        """Generate all ids; arguments and errors are those of `stream`.

        `search` with several beams gives the best sequence that a beam search finds, with its score.
        `log_probabilities` also gives the log-probability of each new id.
        """
        ending = Ending(max_new=max_new, min_new=min_new, stop=read_stop(self.plan, stop))
        run = self._run(prompts, ending, inputs, sampling)
        first = [tuple(sequence) for sequence in run.sequences]
        if search.beams > 1:
            check_search(self.plan, search, sampling, len(first))
        found: Sequence[tuple[float | None, Beam]]
        found = run.grown(log_probabilities) if search.beams == 1 else run.searched(search)
        return tuple(
            Generated(
                prompt=prompt,
                ids=beam.ids,
                ended=beam.ids[-1] in run.ends,
                log_probabilities=beam.likely if log_probabilities else None,
                score=score,
            )
            for prompt, (score, beam) in zip(first, found, strict=True)
        )

    def stream(
        self,
        prompts: Any = None,
        *,
        max_new: int,
        inputs: Mapping[str, Any] | None = None,
        sampling: Sampling = GREEDY,
        search: BeamSearch = ONE_BEAM,
        min_new: int = 0,
        stop: Sequence[int] = (),
    ) -> Iterator[DecodingStep]:
        """Generate step by step.

        Args:
            prompts: ids of each row, of any lengths, or those of one row; may be None if the spec has a start id.
            max_new: the maximum number of new ids per row.
            inputs: the spec's other inputs by name, with as many rows as there are prompts.
            sampling: how ids are chosen.
            search: with one beam; the ids of several are only known at the end.
            min_new: the minimum number of new ids per row: no end id is chosen before.
            stop: ids that end a row, in addition to the end ids of the spec.

        Returns:
            an iterator over the steps, with their ids and logits.

        Raises:
            SpecError: E711 to E720 and E741 to E745 for invalid arguments, before anything runs; E747 during iteration.
        """
        if search.beams > 1:
            message = "beam search knows its ids only at the end, so they cannot be streamed"
            fail("E744", message, None, help="use `generate`, or 1 beam")
        ending = Ending(max_new=max_new, min_new=min_new, stop=read_stop(self.plan, stop))
        return self._run(prompts, ending, inputs, sampling).steps()

    def slots(self, *, rows: int, capacity: int, sizes: Mapping[str, int] | None = None) -> DecodingSlots:
        """Rows that requests enter and leave while others go on (continuous batching).

        Args:
            rows: how many requests are decoded together.
            capacity: the maximum number of positions of a request: its prompt and its new ids but the last.
            sizes: the size of each dim of the other inputs, such as the positions of a source, by name; all requests
                have these.

        Raises:
            SpecError: E748 if the spec has no step on new positions alone, E744 without a cache, for numbers that the
                spec does not admit and for sizes that are missing, E745 if an input is not of rows.
        """
        if isinstance(self.runs, Parts):
            if self.refused is not None:
                raise SpecError([self.refused])
            fail("E744", "slots are rows of a cache, but this decoder has none", None, help="leave `cached` out")
        wanted = {} if sizes is None else sizes
        check_slots(self.plan, rows, capacity, wanted)
        inputs, together = SlotInputs(self._feeding, wanted), self.plan.batch(rows)
        made = CachedRows(self.runs, self._feeding, inputs.first(together), rows=together, capacity=capacity)
        return DecodingSlots(inputs, made, slots=rows, capacity=capacity, chunk=self._chunk)

    def _run(self, prompts: Any, ending: Ending, inputs: Mapping[str, Any] | None, sampling: Sampling) -> _Run:
        arrays = read_inputs(inputs)
        ends = ending.ends(self.plan)
        sequences = read_prompts(self.plan, prompts, arrays, ending.max_new)
        made = prepared(self.plan, sequences, arrays)
        given = {name: self._feeding.tensor(array) for name, array in made.items()}
        return _Run(self, sequences, given, sampling, ending, ends)


class _Run:
    """One generation: its sequences, which are extended in place, and the random numbers of each."""

    def __init__(
        self,
        decoder: Decoder,
        sequences: Sequences,
        given: dict[str, Tensor],
        sampling: Sampling,
        ending: Ending,
        ends: frozenset[int],
    ) -> None:
        self.decoder, self.sequences, self.given = decoder, sequences, given
        self.sampling, self.max_new, self.ends = sampling, ending.max_new, ends
        self.scores = Scores(decoder.plan, sampling, sequences, ends, ending.min_new)
        self.streams = [sampling.stream(row) for row in range(len(sequences))]

    def steps(self) -> Iterator[DecodingStep]:
        """Yield the steps, until every row has ended or has `max_new` new ids."""
        active = list(range(len(self.sequences)))
        # No `no_grad` around the whole loop: it would stay active in the caller's code between two steps.
        with torch.no_grad():
            source = self.decoder.logits_of(self.sequences, self.given, self.max_new)
        for number in range(self.max_new):
            with torch.no_grad():
                logits = source.logits(active)
                scores = self.scores.of(logits, active, number)
                ids = choose(scores, self.sampling, [self.streams[row] for row in active])
            for row, id in zip(active, ids, strict=True):
                self.sequences[row].append(id)
            yield DecodingStep(rows=tuple(active), ids=tuple(ids), logits=logits)
            active = [row for row, id in zip(active, ids, strict=True) if id not in self.ends]
            if not active:
                return

    def grown(self, log_probabilities: bool) -> list[tuple[float | None, Beam]]:
        """The new ids of each row, with their log-probabilities if they are asked for."""
        ids: list[list[int]] = [[] for _ in self.sequences]
        likely: list[list[float]] = [[] for _ in self.sequences]
        for step in self.steps():
            found = step.log_probabilities() if log_probabilities else [0.0] * len(step.ids)
            for row, id, one in zip(step.rows, step.ids, found, strict=True):
                ids[row].append(id)
                likely[row].append(one)
        return [(None, Beam(ids=tuple(row), likely=tuple(ones))) for row, ones in zip(ids, likely, strict=True)]

    def searched(self, search: BeamSearch) -> list[tuple[float, Beam]]:
        """The new ids that a beam search finds for each row, with their scores."""
        with torch.no_grad():
            source = self.decoder.logits_of(self.sequences, self.given, self.max_new)
            searches = [PromptSearch(search, self.ends, self.max_new) for _ in self.sequences]
            Searches(source, self.sequences, self.scores, searches).run()
        return [one.best for one in searches]
