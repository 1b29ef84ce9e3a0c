"""Generation of text: a decoder of ids with a tokenizer before and after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archspec.decoding.continuation import Continuation, continued
from archspec.decoding.ending import Ending, read_stop
from archspec.decoding.prompts import Sequences, read_inputs, read_prompts
from archspec.decoding.rows import DecodingStep, Generated
from archspec.decoding.stepping import Decoder
from archspec.decoding.text_inputs import with_ids
from archspec.decoding.text_prompts import check_fit, encoded, text_rows
from archspec.decoding.tokenizer import Tokenizer
from archspec.record import record


@record(eq=False)
class TextStep:
    """A step of generation with the text that it made certain, one piece for each of `step.rows`.

    A piece is "" for a special token, and while a character is incomplete. The pieces of a row together are its text.
    """

    step: DecodingStep
    texts: tuple[str, ...]


class TextDecoder:
    """Generates text with a decoder of ids. Prompts may be text, conversations or ids, all of one kind.

    A conversation is a list of messages, `[{"role": "user", "content": "..."}]`, and is put into words by the chat
    template of the tokenizer.
    """

    def __init__(self, ids: Decoder, tokenizer: Tokenizer) -> None:
        self.ids, self.tokenizer = ids, tokenizer

    def encode(self, prompts: Any) -> Any:
        """Ids of prompts, a list for each row; what is not text is returned as it is.

        Raises SpecError E713 for prompts of several kinds or without Unicode, and E762 or E763 as in `encoded`.
        """
        rows = text_rows(prompts)
        return prompts if rows is None else [encoded(self.tokenizer, self.ids.plan, row) for row in rows]

    def generate(
        self, prompts: Any, *, inputs: Mapping[str, Any] | None = None, stop: Sequence[int] = (), **options: Any
    ) -> tuple[Generated, ...]:
        """Generate all ids and their text; `options` and errors are those of `Decoder.generate` and of `stream`."""
        check_fit(self.tokenizer, self.ids.plan, read_stop(self.ids.plan, stop))
        given = with_ids(self.tokenizer, self.ids.plan, inputs)
        found = self.ids.generate(self.encode(prompts), inputs=given, stop=stop, **options)
        return tuple(replace(row, text=continued(self.tokenizer, row.prompt, row.ids)) for row in found)

    def stream(
        self,
        prompts: Any,
        *,
        max_new: int,
        inputs: Mapping[str, Any] | None = None,
        stop: Sequence[int] = (),
        **options: Any,
    ) -> Iterator[TextStep]:
        """Generate step by step.

        Args:
            prompts: a text, a conversation, or a list of them; or ids, as `Decoder.stream` takes them.
            max_new: the maximum number of new ids per row.
            inputs: the spec's other inputs by name, with as many rows as there are prompts; of ids, also texts.
            stop: ids that end a row, in addition to the end ids of the spec.
            options: other arguments of `Decoder.stream`.

        Returns:
            an iterator over the steps, with the text that each adds.

        Raises:
            SpecError: E762 if the tokenizer does not fit the spec, E763 for a conversation without a chat template, and
                all of `Decoder.stream`, before anything runs; E747 and E762 during iteration.
        """
        ending = Ending(max_new=max_new, stop=read_stop(self.ids.plan, stop))
        check_fit(self.tokenizer, self.ids.plan, ending.stop)
        ids, given = self.encode(prompts), with_ids(self.tokenizer, self.ids.plan, inputs)
        steps = self.ids.stream(ids, max_new=max_new, inputs=given, stop=stop, **options)
        sequences = read_prompts(self.ids.plan, ids, read_inputs(given), max_new)
        return self._texts(steps, sequences, ending.ends(self.ids.plan), max_new)

    def _texts(
        self, steps: Iterator[DecodingStep], sequences: Sequences, ends: frozenset[int], max_new: int
    ) -> Iterator[TextStep]:
        growing = [Continuation(self.tokenizer, ids) for ids in sequences]
        made = [0] * len(growing)
        for step in steps:
            pieces = []
            for row, id in zip(step.rows, step.ids, strict=True):
                made[row] += 1
                piece = growing[row].add(id)
                is_last = id in ends or made[row] == max_new
                pieces.append(piece + growing[row].end() if is_last else piece)
            yield TextStep(step=step, texts=tuple(pieces))
