"""The values of names and paths while a graph is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from archspec.diagnostics import Label, Span, did_you_mean, fail, nearest
from archspec.ir.graph import Value
from archspec.text.path import Path


class Values:
    """Values by name and path; `places` are the spans of all names of the spec, including those of numbers."""

    def __init__(self, places: Mapping[str, Span]) -> None:
        self._places = places
        self._values: dict[str, Value] = {}
        self._owners: dict[Value, str] = {}
        self._offered: set[str] = set()
        self._sequences: set[Value] = set()
        self._maps: set[Value] = set()

    @property
    def sequences(self) -> frozenset[Value]:
        """The values noted to have the axes batch, positions, features."""
        return frozenset(self._sequences)

    def is_sequence(self, value: Value) -> None:
        """Note that a value has the axes batch, positions, features."""
        self._sequences.add(value)

    @property
    def maps(self) -> frozenset[Value]:
        """The values noted to have the axes batch, channels, space."""
        return frozenset(self._maps)

    def is_map(self, value: Value) -> None:
        """Note that a value has the axes batch, channels, space."""
        self._maps.add(value)

    @property
    def names(self) -> Mapping[str, Value]:
        """All values by the names and paths that name them."""
        return self._values

    def define(self, name: str, value: Value) -> None:
        """Give a value a name; messages use the first of its names."""
        self._values[name] = value
        self._owners.setdefault(value, name)

    def alias(self, value: Value, name: str) -> None:
        """Give a value of an enclosing scope a name for messages, unless it has one; paths do not find it."""
        self._owners.setdefault(value, name)

    def offer(self, paths: set[str]) -> None:
        """Note inner paths that could be exposed, with `*` for the index of a layer, for help messages."""
        self._offered |= paths

    def get(self, path: Path) -> Value | None:
        """The value of a path; None if there is none."""
        return self._values.get(str(path))

    def resolve(self, path: Path) -> Value:
        """The value of a path. Raises SpecError E201 for an unknown name, E218 for a part that does not exist."""
        value = self._values.get(str(path))
        if value is None:
            fail_unknown(path, self._values, self._places, self._offered)
        return value

    def label(self, value: Value) -> Label | None:
        """A label where a value is defined, with its type; None for a value without a name."""
        name = self._owners.get(value)
        place = None if name is None else self._places.get(name.partition(".")[0])
        return None if place is None else Label(place, f"`{name}` is {value.type}")

    def place(self, name: str) -> Span | None:
        """Where a name of the spec is declared; None for an unknown name."""
        return self._places.get(name)


def fail_unknown(
    path: Path, values: Mapping[str, Value], places: Mapping[str, Span], offered: Iterable[str]
) -> NoReturn:
    """Raise SpecError E201 for a path with an unknown name, E218 for one with an unknown part of a known one.

    `values` are those that paths name, `places` the spans of all names, and `offered` the paths of inner values, with
    `*` for the index of a layer.
    """
    name = path.parts[0]
    if name not in values:
        if name in places:
            label = Label(places[name], "defined here")
            note = "values are inputs, nodes and their parts"
            fail("E201", f"`{name}` is not a value", path.part_span(0), secondary=[label], help=note)
        help = did_you_mean(name, (known for known in values if "." not in known), kind="values")
        fail("E201", f"unknown value `{name}`", path.part_span(0), help=help)
    inner = (known for known in (*values, *sorted(offered)) if known.startswith(f"{name}."))
    place = path.part_span(len(path.parts) - 1)
    help = _part_help(path, tuple(dict.fromkeys(inner)))
    fail("E218", f"`{name}` has no part `{'.'.join(path.parts[1:])}`", place, help=help)


def _part_help(path: Path, known: Sequence[str]) -> str:
    """The help for an unknown part: the nearest known one, with the layer numbers that the user wrote."""
    if not known:
        return "it has no named parts"
    layers = [part for part in path.parts if part.isdecimal()]
    pattern = ".".join("*" if part.isdecimal() else part for part in path.parts)
    if pattern in known and layers:
        return "layer number out of range; layers are numbered from 0"
    found = nearest(pattern, known)
    if found is None or found.count("*") > len(layers):
        return f"its parts are {', '.join(f'`{one}`' for one in known)}"
    for layer in layers:
        found = found.replace("*", layer, 1)
    return f"did you mean `{found}`?"
