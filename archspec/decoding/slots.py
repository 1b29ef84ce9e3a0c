"""Slots: requests enter the rows of one cache and leave them while others go on (continuous batching)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from archspec.decoding.cached_rows import CachedRows
from archspec.decoding.ending import Ending, read_stop
from archspec.decoding.plan import GenerationPlan
from archspec.decoding.prompts import read_prompt
from archspec.decoding.rows import DecodingStep, Generated
from archspec.decoding.sampling import Sampling, choose
from archspec.decoding.scores import Scores
from archspec.decoding.slot_inputs import SlotInputs
from archspec.diagnostics import fail

GREEDY = Sampling()


class DecodingSlots:
    """Generates for requests that come and go, each as if it were alone.

    A request waits until one of the rows is free. Its prompt is then fed in chunks together with the rows that already
    make ids, and its row is free again when it has ended. Requests are numbered from 0, and enter in this order.
    """

    def __init__(self, inputs: SlotInputs, rows: CachedRows, *, slots: int, capacity: int, chunk: int) -> None:
        """Start with free rows.

        Args:
            inputs: makes the tensors of what each request gives once.
            rows: the rows of the cache.
            slots: how many of them requests may enter, the first ones.
            capacity: the maximum number of positions of a request.
            chunk: the largest number of positions of a row that one step takes.
        """
        self.plan, self.capacity = inputs.plan, capacity
        self._inputs = inputs
        self._rows, self._chunk = rows, chunk
        self._active: list[_Request | None] = [None] * slots
        self._waiting: deque[_Request] = deque()
        self._done: dict[int, Generated] = {}
        self._count = 0

    def add(
        self,
        prompt: Sequence[int] = (),
        *,
        max_new: int,
        sampling: Sampling = GREEDY,
        min_new: int = 0,
        stop: Sequence[int] = (),
        log_probabilities: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> int:
        """The number of a new request, whose arguments are those of `Decoder.generate` for one row.

        `inputs` are the other inputs by name, of one row and of the sizes of the slots: what is made of them, such as
        the memory of an encoder, is made once, when the request enters a row.

        Raises SpecError: those of `Decoder.generate`, E742 for more positions than the slots have room for, and E716
        for inputs of other sizes.
        """
        ending = Ending(max_new=max_new, min_new=min_new, stop=read_stop(self.plan, stop))
        sequence = read_prompt(self.plan, prompt, max_new)
        # Read here: an error belongs to this request and not to a step that others share.
        given = self._inputs.of_request(sequence, inputs)
        # The last new id is not fed back.
        fed = len(sequence) + max_new - 1
        if fed > self.capacity:
            message = f"the request needs {fed} positions, but a slot has {self.capacity}"
            fail("E742", message, None, help="make slots with a larger `capacity`, or generate less")
        request = _Request(self.plan, self._count, sequence, ending, sampling, log_probabilities, given)
        self._waiting.append(request)
        self._count += 1
        return request.number

    @property
    def pending(self) -> int:
        """How many requests wait or are in a row."""
        return len(self._waiting) + sum(one is not None for one in self._active)

    def run(self) -> Iterator[DecodingStep]:
        """Step until no request is left; requests may be added in between."""
        while self.pending:
            yield self.step()

    def step(self) -> DecodingStep:
        """Feed each request its next ids; `rows` of the result number the requests that were given a new id.

        Without a request nothing is computed, and the result has no rows.
        """
        if not self.pending:
            return DecodingStep(rows=(), ids=(), logits=torch.empty(0, self.plan.vocab))
        with torch.no_grad():
            self._enter()
            logits = self._rows.feed(self._given())
            # A prompt that is fed in chunks gets its first new id after the last of them.
            places = [place for place, one in enumerate(self._active) if one is not None and self._is_fed(place, one)]
            found = [self._grow(place, logits[place : place + 1]) for place in places]
        numbers, ids = [number for number, _ in found], [id for _, id in found]
        return DecodingStep(rows=tuple(numbers), ids=tuple(ids), logits=logits[places])

    def take(self, request: int) -> Generated | None:
        """The result of a request, which is then forgotten; None if it has not ended."""
        return self._done.pop(request, None)

    def _enter(self) -> None:
        """Assign waiting requests to free rows."""
        entered = []
        for place, one in enumerate(self._active):
            if one is None and self._waiting:
                request = self._active[place] = self._waiting.popleft()
                if request.given:
                    self._rows.enter(place, request.given)
                entered.append(place)
        if entered:
            self._rows.begin(entered)

    def _given(self) -> list[list[int]]:
        """The next ids of each row; none for a free one."""
        given: list[list[int]] = [[] for _ in self._rows.past]
        for place, one in enumerate(self._active):
            if one is not None:
                first = self._rows.past[place]
                # The first chunk must cover a prefix, whose positions see all of it.
                chunk = len(one.sequence) if self.plan.prefixes else self._chunk
                given[place] = one.sequence[first : first + chunk]
        return given

    def _is_fed(self, place: int, request: _Request) -> bool:
        return self._rows.past[place] == len(request.sequence)

    def _grow(self, place: int, logits: Tensor) -> tuple[int, int]:
        """The number and the new id of the request at a place, whose row becomes free if it has ended."""
        request = self._active[place]
        assert request is not None
        id = request.grow(logits)
        if request.has_ended:
            self._done[request.number] = request.result()
            self._active[place] = None
        return request.number, id


class _Request:
    """A sequence that grows, and how its ids are chosen."""

    def __init__(
        self,
        plan: GenerationPlan,
        number: int,
        sequence: list[int],
        ending: Ending,
        sampling: Sampling,
        log_probabilities: bool,
        given: Mapping[str, Tensor],
    ) -> None:
        self.given = given
        self.number, self.sequence, self.first = number, sequence, len(sequence)
        self.ends, self.max_new, self.sampling = ending.ends(plan), ending.max_new, sampling
        self.scores = Scores(plan, sampling, [sequence], self.ends, ending.min_new)
        # A request draws what it would draw alone.
        self.stream = sampling.stream(0)
        self.likely: list[float] | None = [] if log_probabilities else None

    def grow(self, logits: Tensor) -> int:
        """Choose the next id from logits [1, vocab]."""
        scores = self.scores.of(logits, [0], len(self.sequence) - self.first)
        (id,) = choose(scores, self.sampling, [self.stream])
        if self.likely is not None:
            self.likely += DecodingStep(rows=(0,), ids=(id,), logits=logits).log_probabilities()
        self.sequence.append(id)
        return id

    @property
    def has_ended(self) -> bool:
        return self.sequence[-1] in self.ends or len(self.sequence) - self.first == self.max_new

    def result(self) -> Generated:
        return Generated(
            prompt=tuple(self.sequence[: self.first]),
            ids=tuple(self.sequence[self.first :]),
            ended=self.sequence[-1] in self.ends,
            log_probabilities=None if self.likely is None else tuple(self.likely),
        )
