"""The text of a row as it grows: only what later ids cannot change."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.decoding.tokenizer import Tokenizer

# What decoders write for bytes that are not a character, or not yet one.
_INCOMPLETE = "\ufffd"
# A character of UTF-8 has at most four bytes, so at most three ids wait for another.
_WAITING = 3


class Continuation:
    """The text that the new ids of a row add to its prompt, in pieces that together are the text of the row.

    A few ids of the past are decoded together with the new ones, because how an id is written depends on its
    neighbours: a space at the start of a text is dropped by many tokenizers, and a character may be split over ids.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._ids = [id for id in prompt if id not in tokenizer.special]
        # The text of the first `_told` of `_ids` is out already.
        self._told = self._whole()

    def add(self, id: int) -> str:
        """The text that is certain with one more id: "" for a special one, and while a character is incomplete.

        Raises SpecError E762 for an id that the tokenizer does not have.
        """
        if id in self._tokenizer.special:
            return ""
        self._ids.append(id)
        text = self._tokenizer.decode(self._ids)
        return "" if text.endswith(_INCOMPLETE) else self._piece(text)

    def end(self) -> str:
        """The rest of the text, once no id follows: an incomplete character is written as U+FFFD."""
        return self._piece(self._tokenizer.decode(self._ids))

    def _whole(self) -> int:
        """The number of ids of the prompt without those of a character that it begins and does not complete."""
        count = len(self._ids)
        # From the longest on, since a prompt rarely ends inside a character.
        for kept in range(count, max(count - _WAITING, 0) - 1, -1):
            if not self._tokenizer.decode(self._ids[:kept]).endswith(_INCOMPLETE):
                return kept
        return count

    def _piece(self, text: str) -> str:
        """What `text`, that of all ids here, adds to that of the past ones; from now on all of them are past."""
        past, new = self._ids[: self._told], self._ids[self._told :]
        before = self._tokenizer.decode(past)
        if new:
            self._ids, self._told = new, len(new)
        if text.startswith(before):
            return text[len(before) :]
        # Decoders of single bytes write U+FFFD for all bytes in a row of which one is wrong, also for those before it.
        return self._tokenizer.decode(new)


def continued(tokenizer: Tokenizer, prompt: Sequence[int], ids: Sequence[int]) -> str:
    """The text that ids add to that of a prompt, as a whole. Raises SpecError E762 as `Continuation.add` does."""
    row = Continuation(tokenizer, prompt)
    return "".join([*(row.add(id) for id in ids), row.end()])
