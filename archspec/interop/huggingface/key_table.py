"""A table of keys as a total function: every key of a configuration is used, without effect, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from archspec.diagnostics import Collector, Label, did_you_mean, fail
from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, ConfigurationKey, Keys
from archspec.interop.huggingface.told import UNTOLD, Told
from archspec.record import record


@record
class KeyTable:
    """The keys of a configuration: what each means, what it is where the file leaves it out, and its older names.

    Keys change a document in their order, so that a later one finds what earlier ones left. `aliases` gives by older
    name the name of today.
    """

    keys: Keys
    defaults: Mapping[str, Any]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def over(self, other: KeyTable) -> KeyTable:
        """This table with the keys of another where it has none of its own: those come first, then its own in order."""
        below = {name: key for name, key in other.keys.items() if name not in self.keys}
        return KeyTable(
            keys={**below, **self.keys},
            defaults={**other.defaults, **self.defaults},
            aliases={**other.aliases, **self.aliases},
        )

    def read(self, given: JsonValue, found: Collector) -> Configuration:
        """The value of every key of the table, from an object or by default.

        Unknown keys are collected as errors E802, keys that two names give two values as errors E803.
        """
        values: dict[str, JsonValue] = {}
        for key, one in given.members.items():
            name = self.aliases.get(key, key)
            if name not in self.keys:
                with found.catching():
                    self._refuse(key, one)
            elif name in values and values[name].value == one.value:
                # Files of models with older names often hold both.
                continue
            elif name in values:
                earlier = values[name].place
                labels = [] if earlier is None else [Label(earlier, "another value")]
                message = f"`{key}` and `{values[name].name}` are names of one key, and have two values"
                found.error("E803", message, one.place, secondary=labels, help="keep one of the two")
            else:
                values[name] = one
        absent = {name: JsonValue(name=name, value=self.defaults[name]) for name in self.keys if name not in values}
        return Configuration(values={**values, **absent})

    def changes(self, configuration: Configuration, found: Collector) -> list[tuple[JsonValue, Changes]]:
        """What each key changes, in the order of the table; errors are collected."""
        made: list[tuple[JsonValue, Changes]] = []
        for name, key in self.keys.items():
            given = configuration[name]
            with found.catching():
                if isinstance(key, NestedKey):
                    made += key.inner(given, found)
                else:
                    made.append((given, key.changes(given, configuration)))
        return made

    def told(self, document: Told) -> dict[str, Any]:
        """The values that a document tells; all other keys are at their defaults."""
        found = {name: key.told(document) for name, key in self.keys.items()}
        return {name: _typed(one, self.defaults[name]) for name, one in found.items() if one is not UNTOLD}

    def _refuse(self, key: str, given: JsonValue) -> None:
        """Raise SpecError E802 for an unknown key."""
        help = did_you_mean(key, (*self.keys, *self.aliases), limit=0)
        fail(
            "E802",
            f"unknown key `{key}`",
            given.key,
            notes=["a key that is not known may change what the model computes"],
            help=help or "remove it from a copy of the file if it has no effect, and verify against the original",
        )


@record
class NestedKey(ConfigurationKey):
    """A configuration inside a configuration, such as `text_config`, with a table of its own."""

    table: KeyTable

    def inner(self, given: JsonValue, found: Collector) -> list[tuple[JsonValue, Changes]]:
        """What each of its keys changes. Raises SpecError E803 for what is no object."""
        if given.value is not None and not isinstance(given.value, Mapping):
            given.refuse("expected an object")
        return self.table.changes(self.table.read(given, found), found)

    def changes(self, given: JsonValue, configuration: Configuration) -> Changes:
        """What all of its keys change together. Raises SpecError with every error in it."""
        found = Collector()
        inner = self.inner(given, found)
        found.raise_if_errors()
        return {path: value for _, changes in inner for path, value in changes.items()}

    def told(self, document: Told) -> Any:
        """The values that a document tells of its own keys."""
        return self.table.told(document)


def _typed(value: Any, default: Any) -> Any:
    """A whole number as a decimal one where the default is one: transformers compares the types."""
    return float(value) if isinstance(default, float) and type(value) is int else value
