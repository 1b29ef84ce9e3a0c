"""Kinds of numbers: bool, integer and float, in the order in which one takes in the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from archspec.record import record

_ORDER = "bif"
_TYPES: dict[str, Callable[[Any], Any]] = {"b": bool, "i": int, "f": float}
_NAMES = {"b": "bool", "i": "int64", "f": "float64"}


@record(eq=False)
class NumberKind:
    """The kind of an array's numbers; equal to the Python type, to the name, and to the first letter."""

    kind: str

    def __eq__(self, other: object) -> bool:
        try:
            return self.kind == kind_of(other)
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.kind)

    def __str__(self) -> str:
        return _NAMES[self.kind]

    @property
    def name(self) -> str:
        """`bool`, `int64` or `float64`."""
        return _NAMES[self.kind]


def kind_of(wanted: Any) -> str:
    """The kind that a dtype, a Python type or a name means. Raises TypeError for other kinds than these three."""
    if isinstance(wanted, NumberKind):
        return wanted.kind
    if wanted is bool:
        return "b"
    if wanted is int:
        return "i"
    if wanted is float:
        return "f"
    found = next((kind for kind, name in _NAMES.items() if name == str(wanted)), None)
    if found is None:
        raise TypeError(f"arrays in lists have no numbers of the kind {wanted!r}")
    return found


def kind_among(numbers: Iterable[Any]) -> str:
    """The kind that takes in all of some Python numbers."""
    types = set(map(type, numbers))
    if types <= {bool}:
        return "b" if types else "f"
    return "i" if types <= {bool, int} else "f"


def wider(*kinds: str) -> str:
    """The first kind that takes in all of these."""
    return max(kinds, key=_ORDER.index)


def converted(data: list[Any], before: str, after: str) -> list[Any]:
    """Numbers of one kind as those of another; a float is cut towards zero."""
    return data if before == after else list(map(_TYPES[after], data))
