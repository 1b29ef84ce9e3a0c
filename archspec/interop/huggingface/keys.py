"""What the keys of a configuration mean: kinds of keys, most of them data that can be read backwards."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.told import UNTOLD, Told
from archspec.record import record

ACTIVATIONS: Mapping[str, str] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "relu2": "relu_squared",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "linear": "none",
}
"""Activations of transformers, by the words of the language; the first of several is the one to write back."""


UNREAD = "no version of the original reads it"
"""Why keys have no effect that published files hold all the same."""


@record
class Configuration:
    """The values of all keys of a table, in the file or by default."""

    values: Mapping[str, JsonValue]

    def __getitem__(self, key: str) -> JsonValue:
        return self.values[key]

    def value(self, key: str) -> Any:
        """The value of a key as JSON data."""
        return self.values[key].value


class ConfigurationKey(Protocol):
    """What one key of a configuration means."""

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """What the value changes in the spec. Raises SpecError for a value that is not supported."""
        ...

    def told(self, document: Told) -> Any:
        """The value that a document tells, UNTOLD for none: `changes` read backwards, which importing it confirms."""
        return UNTOLD


@record
class SizeKey(ConfigurationKey):
    """A whole number at a path. `none` is what null stands for, an expression; without it, null is refused.

    `repeats` names the key that `none` stands for: where both say the same, the expression is written, too.
    """

    path: str
    none: str | None = None
    repeats: str | None = None
    least: int = 1

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """The number at the path."""
        value = given.value
        if value is None and self.none is not None:
            return {self.path: self.none}
        if not isinstance(value, int) or isinstance(value, bool) or value < self.least:
            given.refuse(f"expected a whole number of at least {self.least}")
        is_repeated = self.repeats is not None and configuration.value(self.repeats) == value
        return {self.path: self.none if is_repeated else value}

    def told(self, document: Told) -> Any:
        """The number at the path, null where it says what null stands for."""
        found = document.number(self.path)
        if found is None and self.none is not None and document.word(self.path) == self.none:
            return None
        return UNTOLD if found is None else found


@record
class DecimalKey(ConfigurationKey):
    """A number from 0 up at a path, below `below`. Nothing is written for `absent`, which the language takes itself."""

    path: str
    below: float = math.inf
    absent: float | None = None

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """The number at the path."""
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < self.below:
            given.refuse("expected a number from 0 up" + (f", below {self.below:g}" if self.below < math.inf else ""))
        return {self.path: None if value == self.absent else value}

    def told(self, document: Told) -> Any:
        """The number at the path, `absent` where there is none; always decimal: transformers compares the types."""
        found = document.number(self.path)
        found = self.absent if found is None else found
        return UNTOLD if found is None else float(found)


@record
class WordKey(ConfigurationKey):
    """A word at a path, by a table from their words to ours."""

    path: str
    table: Mapping[str, str]

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """Our word at the path."""
        value = given.value
        if not isinstance(value, str) or value not in self.table:
            given.refuse("the language has no word for it", _supported(self.table))
        return {self.path: self.table[value]}

    def told(self, document: Told) -> Any:
        """Their first word for ours."""
        word = document.word(self.path)
        return next((theirs for theirs, ours in self.table.items() if ours == word), UNTOLD)


@record
class SwitchKey(ConfigurationKey):
    """One of a few values, each with the changes that it makes."""

    cases: tuple[tuple[Any, Changes], ...]

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """The changes of the value."""
        found = [changes for value, changes in self.cases if is_same(value, given.value)]
        if found:
            return found[0]
        return given.refuse("this value is not supported", _supported(value for value, _ in self.cases))

    def told(self, document: Told) -> Any:
        """The value whose changes are made already, of several the one with the most, else one without changes."""
        made = [(_count(changes), value) for value, changes in self.cases if document.holds(changes)]
        if made:
            return max(made, key=lambda one: one[0])[1]
        return next((value for value, changes in self.cases if not changes), UNTOLD)


@record
class MustKey(ConfigurationKey):
    """A key with one supported value; `why` says what another one would mean."""

    values: tuple[Any, ...]
    why: str

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """No change. Raises SpecError E803 for another value."""
        if not any(is_same(value, given.value) for value in self.values):
            given.refuse(self.why, _supported(self.values))
        return {}


@record
class InertKey(ConfigurationKey):
    """A key without effect on what the model computes; `why` says why."""

    why: str

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """No change."""
        return {}


@record
class PartKey(ConfigurationKey):
    """A key that another one reads with its own; `back` finds it in a document, which does not tell it without one."""

    key: str
    back: Callable[[Told], Any] | None = None

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """No change of its own."""
        return {}

    def told(self, document: Told) -> Any:
        """What `back` finds."""
        return UNTOLD if self.back is None else self.back(document)


@record
class ReadKey(ConfigurationKey):
    """A key whose meaning is code. `back` finds its value in a document, which does not tell it without one."""

    function: Callable[[JsonValue, Configuration], Changes]
    back: Callable[[Told], Any] | None = None

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """What the function returns."""
        return self.function(given, configuration)

    def told(self, document: Told) -> Any:
        """What `back` finds."""
        return UNTOLD if self.back is None else self.back(document)


@record
class EverywhereKey(ConfigurationKey):
    """One value for several keys of one kind, each with a path of its own."""

    keys: tuple[ConfigurationKey, ...]

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """What all of them change."""
        return {path: one for key in self.keys for path, one in key.changes(given, configuration).items()}

    def told(self, document: Told) -> Any:
        """What the first tells."""
        return self.keys[0].told(document)


Keys = Mapping[str, ConfigurationKey]


def size(path: str, *, none: str | None = None, repeats: str | None = None, least: int = 1) -> ConfigurationKey:
    """A whole number of at least `least` at a path; null, and the value of the key `repeats`, are written as `none`."""
    return SizeKey(path=path, none=none, repeats=repeats, least=least)


def number(path: str) -> ConfigurationKey:
    """A number from 0 up at a path."""
    return DecimalKey(path=path)


def dropout(path: str) -> ConfigurationKey:
    """A rate of dropout at a path; 0 is written for the block `dropout` alone, which needs its rate."""
    return DecimalKey(path=path, below=1, absent=None if path.endswith(".rate") else 0)


def activation(path: str) -> ConfigurationKey:
    """An activation at a path."""
    return WordKey(path=path, table=ACTIVATIONS)


def everywhere(kind: Callable[[str], ConfigurationKey], paths: Iterable[str]) -> ConfigurationKey:
    """One value at several paths, each written by a key of one kind: `everywhere(activation, [...])`."""
    return EverywhereKey(keys=tuple(kind(path) for path in paths))


def words(path: str, table: Mapping[str, str]) -> ConfigurationKey:
    """A word at a path, by a table from their words to ours."""
    return WordKey(path=path, table=table)


def switch(cases: Mapping[Any, Changes]) -> ConfigurationKey:
    """One of a few values, each with the changes that it makes."""
    return SwitchKey(cases=tuple(cases.items()))


def must(*values: Any, why: str) -> ConfigurationKey:
    """Only these values are supported; `why` says what another one would mean."""
    return MustKey(values=values, why=why)


def inert(why: str) -> ConfigurationKey:
    """Without effect on what the model computes; `why` says why."""
    return InertKey(why=why)


FRESH = inert("only fresh weights differ")
"""A key that sets how weights begin."""


def part_of(key: str, back: Callable[[Told], Any] | None = None) -> ConfigurationKey:
    """Read together with another key, and by `back` out of a document."""
    return PartKey(key=key, back=back)


def reads(
    function: Callable[[JsonValue, Configuration], Changes], back: Callable[[Told], Any] | None = None
) -> ConfigurationKey:
    """Read by a function of the value and the configuration, and by `back` out of a document."""
    return ReadKey(function=function, back=back)


def follows(meaning: str, compute: Callable[[Configuration], Any]) -> ConfigurationKey:
    """A key that repeats what others say: null, or what `compute` returns; `meaning` says what that is."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        wanted = compute(configuration)
        if given.value is not None and not is_same(wanted, given.value):
            given.refuse(f"expected {meaning}, {json.dumps(wanted)}")
        return {}

    return reads(read)


def side(path: str) -> ConfigurationKey:
    """The side of a square at a path: a whole number, or a pair of equal ones."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        value = given.value
        pair = value if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
        if len(pair) != 2 or pair[0] != pair[1] or type(pair[0]) is not int or pair[0] < 1:
            help = "images and patches of a model type are square here: write the spec of another one by hand"
            given.refuse("expected a whole number from 1 up, or two equal ones", help)
        return {path: pair[0]}

    return reads(read, back=size(path).told)


def classes(path: str) -> Keys:
    """The keys that say how many classes a head has: as many as there are labels, 2 where nothing is said."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        if given.value is not None:
            if not isinstance(given.value, Mapping) or not given.value:
                given.refuse("expected an object of labels by number")
            said = configuration["num_labels"]
            if said.value not in (None, len(given.value)):
                # Versions before 5 go by this number, later ones by the labels.
                said.refuse(f"`id2label` has {len(given.value)} labels", "keep one of the two")
            return {path: len(given.value)}
        count = configuration["num_labels"]
        return {path: 2} if count.value is None else SizeKey(path=path).changes(count, configuration)

    def back(told: Told) -> Any:
        count = told.number(path)
        # The names that transformers gives to labels without names.
        return UNTOLD if count is None else {str(number): f"LABEL_{number}" for number in range(int(count))}

    return {"id2label": reads(read, back=back), "num_labels": part_of("id2label")}


def end_ids(path: str = "decode.end") -> ConfigurationKey:
    """The ids that end a text: one, several, or none."""

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        ids = given.value if isinstance(given.value, list) else [given.value]
        if given.value is None:
            return {path: "none"}
        if not ids or any(type(one) is not int or one < 0 for one in ids):
            given.refuse("expected an id, a list of ids, or null")
        # An id beyond the vocabulary is never made, and ends nothing.
        vocab = configuration.values.get("vocab_size")
        known = [one for one in ids if vocab is None or not isinstance(vocab.value, int) or one < vocab.value]
        if not known:
            return {path: "none"}
        return {path: known if isinstance(given.value, list) else given.value}

    return reads(read, back=lambda told: told.plain(path) if told.has(path) else UNTOLD)


def is_same(wanted: Any, found: Any) -> bool:
    """Whether two values of JSON are the same: to Python, true would equal 1."""
    return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)


def _count(change: Any) -> int:
    """How many values a change has, inside maps, too."""
    return sum(map(_count, change.values())) if isinstance(change, Mapping) else 1


def _supported(values: Iterable[Any]) -> str:
    """The help that lists values, as the file writes them."""
    return "supported: " + ", ".join(f"`{json.dumps(value)}`" for value in values)
