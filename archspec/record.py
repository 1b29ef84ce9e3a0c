"""Frozen dataclasses that are cheap to define.

`dataclasses` compiles six functions for every class, which for the many small classes of a compiler is a large part of
the time that `archspec check` takes to start. A record has the same fields and the same meaning; its methods are
shared, and what `dataclasses.fields`, `replace` and `asdict` look at is made when they request it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from importlib import import_module
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform, overload

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


# A dataclass without a docstring or with methods of its own would be given some, which compiles them.
@dataclasses.dataclass(init=False, repr=False, eq=False)
class _Sample:
    """Has one plain field."""

    only: int


_SAMPLE: Any = fields(_Sample)[0]
# What marks a field that is neither a class variable nor an argument of `__init__` alone; its name is private there.
_PLAIN = _SAMPLE._field_type


def field_names(thing: object) -> tuple[str, ...]:
    """The names of the fields of a record or a dataclass, in order; empty for anything else.

    It is faster than `dataclasses.fields`, which looks at every field of a class each time.
    """
    cls = type(thing)
    if cls not in _NAMES:
        known = getattr(cls, "__record__", None)
        if isinstance(known, _Fields):
            _NAMES[cls] = known.every
        else:
            _NAMES[cls] = tuple(one.name for one in fields(cls)) if dataclasses.is_dataclass(cls) else ()
    return _NAMES[cls]


_NAMES: dict[type, tuple[str, ...]] = {}


def _annotations(cls: type) -> Mapping[str, object]:
    """The annotations of a class itself, not of its bases."""
    own = vars(cls)
    if "__annotate_func__" not in own:
        return cast(Mapping[str, object], own.get("__annotations__", {}))
    # Python 3.14 evaluates annotations when they are read, except in modules that import them as strings.
    annotationlib: Any = import_module("annotationlib")
    return cast(Mapping[str, object], annotationlib.get_annotations(cls, format=annotationlib.Format.STRING))


class _Fields:
    """The fields of a record by name: (declared by `field()` or None, whether by keyword only)."""

    def __init__(self, cls: type, kw_only: bool) -> None:
        self.own: dict[str, tuple[Field[Any] | None, bool]] = {}
        self.defaults: dict[str, Any] = {}
        self._made: Mapping[str, Field[Any]] | None = None
        for base in reversed(cls.__mro__[1:]):
            if isinstance(known := vars(base).get("__record__"), _Fields):
                self.own |= known.own
                self.defaults |= known.defaults
        for name, annotation in _annotations(cls).items():
            if not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
                self._add(cls, name, kw_only)
        self.every = tuple(self.own)
        # Most records declare no field by `field()`: there is then nothing to look at in each.
        self._is_plain = all(found is None for found, _ in self.own.values())

    def _add(self, cls: type, name: str, kw_only: bool) -> None:
        given = vars(cls).get(name, MISSING)
        declared = given if isinstance(given, Field) else None
        self.own[name] = (declared, kw_only)
        self.defaults.pop(name, None)
        default = given if declared is None else declared.default
        if default is not MISSING:
            self.defaults[name] = default
        if declared is not None and default is not MISSING:
            setattr(cls, name, default)
        elif declared is not None:
            delattr(cls, name)

    def names(self, flag: str) -> tuple[str, ...]:
        """Names of the fields whose `init`, `compare` or `repr` is on."""
        if self._is_plain:
            return self.every
        return tuple(name for name, (found, _) in self.own.items() if found is None or getattr(found, flag))

    def factories(self) -> dict[str, Callable[[], Any]]:
        """Functions that make defaults, by name."""
        if self._is_plain:
            return {}
        made = {name: found.default_factory for name, (found, _) in self.own.items() if found is not None}
        return {name: factory for name, factory in made.items() if factory is not MISSING}

    def __get__(self, instance: Any, owner: type) -> Mapping[str, Field[Any]]:
        """What `dataclasses` keeps under `__dataclass_fields__`."""
        if self._made is None:
            self._made = {name: self._field(name) for name in self.own}
        return self._made

    def _field(self, name: str) -> Field[Any]:
        """A field as `dataclasses` makes it."""
        found, kw_only = self.own[name]
        options: dict[str, Any] = {"kw_only": kw_only, "default": self.defaults.get(name, MISSING)}
        if found is not None:
            options |= {key: getattr(found, key) for key in ("default_factory", "init", "repr", "compare")}
        made: Any = field(**options)
        # `dataclasses` gives a field its name, type and kind when it defines a class, which takes longer than all else.
        made.name, made.type, made._field_type = name, object, _PLAIN
        return cast(Field[Any], made)


def _define(cls: type[T], kw_only: bool, eq: bool) -> type[T]:
    known = _Fields(cls, kw_only)
    init = known.names("init")
    methods: dict[str, Any] = {
        "__init__": _init(init, tuple(name for name in init if not known.own[name][1]), known),
        "__repr__": _repr(known),
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    if eq:
        compared = known.names("compare")
        methods |= {"__eq__": _eq(compared), "__hash__": _hash(compared)}
    own = vars(cls)
    for name, method in methods.items():
        if own.get(name) is None:
            setattr(cls, name, method)
    for name, value in (("__record__", known), ("__dataclass_fields__", known), ("__match_args__", init)):
        setattr(cls, name, value)
    # Records are made by the thousand, and few have anything to do after that.
    if not hasattr(cls, "__post_init__"):
        setattr(cls, "__post_init__", None)  # noqa: B010
    return cls


def _init(init: tuple[str, ...], positional: tuple[str, ...], known: _Fields) -> Callable[..., None]:
    given, defaults, factories = frozenset(init), known.defaults, known.factories()
    required = given - defaults.keys() - factories.keys()
    # Records are made by the thousand: one that is given every field needs neither defaults nor further checks.
    complete = given if defaults.keys() | factories.keys() <= given else None

    def __init__(self: Any, *args: Any, **values: Any) -> None:  # noqa: N807
        if args:
            is_simple = not values and len(args) <= len(positional)
            values = dict(zip(positional, args)) if is_simple else _with_positional(self, positional, args, values)  # noqa: B905
        if values.keys() != complete:
            _check_names(self, values, required, given)
            state = {name: factory() for name, factory in factories.items() if name not in values}
            values = {**defaults, **state, **values}
        self.__dict__.update(values)
        after = self.__post_init__
        if after is not None:
            after()

    return __init__


def _check_names(self: Any, values: Mapping[str, Any], required: frozenset[str], given: frozenset[str]) -> None:
    if not required <= values.keys():
        missing = [name for name in sorted(required) if name not in values]
        raise TypeError(f"{type(self).__name__} misses {', '.join(missing)}")
    if not values.keys() <= given:
        unknown = [name for name in values if name not in given]
        raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")


def _with_positional(
    self: Any, names: tuple[str, ...], args: tuple[Any, ...], values: dict[str, Any]
) -> dict[str, Any]:
    if len(args) > len(names):
        raise TypeError(f"{type(self).__name__} takes {len(names)} positional arguments, got {len(args)}")
    taken = dict(zip(names, args, strict=False))
    if not values:
        return taken
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


def _repr(known: _Fields) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:  # noqa: N807
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in known.names("repr"))
        return f"{type(self).__qualname__}({shown})"

    return __repr__


def _refuse(self: Any, name: str, *value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")
