"""The run-time sizes of two specs as one set of symbols, so that what is written over them can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import lcm
from typing import Any, TypeVar

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.algebra.substitution import substituted, substituted_number
from archspec.algebra.symbol import Symbol
from archspec.ir.types import TensorType
from archspec.record import field_names, record
from archspec.spec import Spec

T = TypeVar("T")
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
_NUMBERS = (Dim, Scalar)
_SEVERAL = (tuple, frozenset)
_LAYER = Symbol("layer", 0, 0, 1 << 30)
"""The index of a layer: its range is that of its stack, which says nothing of what is computed from it."""


class Over:
    """Writes the values of one spec over other symbols; what holds none of them stays the object that it is."""

    def __init__(self, symbols: Mapping[Symbol, Symbol]) -> None:
        self.symbols = symbols
        self._known: dict[int, tuple[object, object]] = {}

    def of(self, thing: T) -> T:
        """A size, a number, or a record or tuple of such."""
        found: Any = thing
        if type(thing) in _PLAIN:
            return thing
        known = self._known.get(id(thing))
        if known is None:
            # The thing is kept beside the result: the id of one that is gone may be given again.
            known = self._known[id(thing)] = (thing, self._made(found))
        made: Any = known[1]
        return made  # type: ignore[no-any-return]

    def _made(self, thing: Any) -> Any:
        if isinstance(thing, _NUMBERS):
            symbols = self._of(thing.symbols())
            if not symbols:
                return thing
            return substituted(thing, symbols) if isinstance(thing, Dim) else substituted_number(thing, symbols)
        if isinstance(thing, _SEVERAL):
            parts = [self.of(part) for part in thing]
            changed = any(new is not old for new, old in zip(parts, thing, strict=True))
            return type(thing)(parts) if changed else thing
        # What is compared by identity is no plain data: the terms that relations name, for one.
        names = field_names(thing)
        if not names or not _is_compared(type(thing)):
            return thing
        fields = ((name, getattr(thing, name)) for name in names)
        new = {name: made for name, old in fields if (made := self.of(old)) is not old}
        return replace(thing, **new) if new else thing

    def _of(self, found: Iterable[Symbol]) -> dict[Symbol, Symbol]:
        named = ((one, self.symbols.get(one, _LAYER if one.name == "layer" else one)) for one in found)
        return {old: new for old, new in named if new != old}


_COMPARED: dict[type, bool] = {}


def _is_compared(cls: type) -> bool:
    """Whether objects of a class are compared by what they hold."""
    if cls not in _COMPARED:
        _COMPARED[cls] = any("__eq__" in vars(base) for base in cls.__mro__[:-1])
    return _COMPARED[cls]


@record
class JointSizes:
    """The sizes of both specs over joint symbols; `renamed` are pairs of names where they differ."""

    before: Over
    after: Over
    pairs: tuple[tuple[Symbol, Symbol], ...]

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """The dims that have another name."""
        return tuple((old.name, new.name) for old, new in self.pairs if old.name != new.name)


def joint_sizes(before: Spec, after: Spec, types: Iterable[tuple[TensorType, TensorType]]) -> JointSizes:
    """Pair the dims of two specs: by where they stand where only names differ, by name, then by where they stand."""
    places = [pair for left, right in types for pair in _single(left, right)]
    named = [(symbol, after.dims[name]) for name, symbol in before.dims.items() if name in after.dims]
    pairs: dict[Symbol, Symbol] = {}
    for one, other in (*(places if _only_names_differ(places) else ()), *named, *places):
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    found = tuple(pairs.items())
    joint = {one: _joint(one, other) for one, other in found}
    return JointSizes(
        before=Over({one: joint[one] for one, _ in found if joint[one] != one}),
        after=Over({other: joint[one] for one, other in found if joint[one] != other}),
        pairs=found,
    )


def _only_names_differ(places: Sequence[tuple[Symbol, Symbol]]) -> bool:
    """Whether dims stand for one another one to one, and those with another name have the same range."""
    one_to_one = len(set(places)) == len({one for one, _ in places}) == len({other for _, other in places})
    return one_to_one and all(one.name == other.name or one == replace(other, name=one.name) for one, other in places)


def _single(left: TensorType, right: TensorType) -> Iterator[tuple[Symbol, Symbol]]:
    """The dims at the axes of two types that are one dim in each."""
    for one, other in zip(left.shape, right.shape, strict=False):
        mine, its = one.symbols(), other.symbols()
        if len(mine) == len(its) == 1:
            yield next(iter(mine)), next(iter(its))


def _joint(one: Symbol, other: Symbol) -> Symbol:
    """The sizes that either admits and both can be divided as."""
    if one == other:
        return one
    multiple = lcm(one.multiple, other.multiple)
    least = -(-min(one.min, other.min) // multiple) * multiple
    most = max(max(one.max, other.max) // multiple * multiple, least)
    return Symbol(one.name, least, least, most, multiple)
