"""Frozen dataclasses that are cheap to define.

`dataclasses` compiles six functions for every class, which for the many small classes of a compiler is a large part of
the time that `archspec check` takes to start. A record has the same fields and meaning, its methods are shared.
`dataclasses.fields`, `replace` and `asdict` work on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def record(cls: type[T], /) -> type[T]: ...
@overload
def record(*, kw_only: bool = True, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T] | None = None, /, *, kw_only: bool = True, eq: bool = True) -> Any:
    """Make a class a frozen dataclass. `kw_only=False` lets fields be positional; `eq=False` compares by identity."""

    def define(cls: type[T]) -> type[T]:
        return _define(cls, kw_only, eq)

    return define if cls is None else define(cls)


def _define(cls: type[T], kw_only: bool, eq: bool) -> type[T]:
    made = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
    known: tuple[Field[Any], ...] = fields(made)  # type: ignore[arg-type]
    positional = tuple(f.name for f in known if f.init and not f.kw_only)
    methods: dict[str, Any] = {
        "__init__": _init(known, positional),
        "__repr__": _repr,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    if eq:
        compared = tuple(f.name for f in known if f.compare)
        methods |= {"__eq__": _eq(compared), "__hash__": _hash(compared)}
    own = vars(cls)
    for name, method in methods.items():
        if name not in own or (name == "__hash__" and own[name] is None):
            setattr(made, name, method)
    return made


def _init(known: tuple[Field[Any], ...], positional: tuple[str, ...]) -> Callable[..., None]:
    given = frozenset(f.name for f in known if f.init)
    defaults = {f.name: f.default for f in known if f.default is not MISSING}
    factories = {f.name: f.default_factory for f in known if f.default_factory is not MISSING}
    required = given - defaults.keys() - factories.keys()

    def __init__(self: Any, *args: Any, **values: Any) -> None:  # noqa: N807
        if args:
            values = _with_positional(self, positional, args, values)
        if not required <= values.keys():
            missing = [name for name in sorted(required) if name not in values]
            raise TypeError(f"{type(self).__name__} misses {', '.join(missing)}")
        if not values.keys() <= given:
            unknown = [name for name in values if name not in given]
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")
        state = self.__dict__
        state.update(defaults)
        for name, factory in factories.items():
            if name not in values:
                state[name] = factory()
        state.update(values)
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    return __init__


def _with_positional(
    self: Any, names: tuple[str, ...], args: tuple[Any, ...], values: dict[str, Any]
) -> dict[str, Any]:
    if len(args) > len(names):
        raise TypeError(f"{type(self).__name__} takes {len(names)} positional arguments, got {len(args)}")
    taken = dict(zip(names, args, strict=False))
    twice = taken.keys() & values.keys()
    if twice:
        raise TypeError(f"{type(self).__name__} got {', '.join(sorted(twice))} twice")
    return taken | values


def _eq(names: tuple[str, ...]) -> Callable[[Any, object], bool]:
    state = _state(names)

    def __eq__(self: Any, other: object) -> bool:  # noqa: N807
        if self is other:
            return True
        return state(self) == state(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(names: tuple[str, ...]) -> Callable[[Any], int]:
    state = _state(names)
    return lambda self: hash((type(self), state(self)))


def _state(names: tuple[str, ...]) -> Callable[[Any], object]:
    return attrgetter(*names) if names else lambda self: ()


def _repr(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _refuse(self: Any, name: str, *value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")
