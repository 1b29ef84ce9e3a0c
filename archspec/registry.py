"""Declarations that are found in the files of a package, one a file, instead of standing in a list.

A room may use what rooms below it declare without importing them: it asks a registry, and `archspec/__init__` says
which package the registry reads. Adding a file to the package is all that adding a declaration takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

T = TypeVar("T")


class Declared(Mapping[str, T], Generic[T]):
    """The subclasses of one class in a package, by word: `package/causal.py` declares the class whose `word` is
    "causal". A file is loaded at the first lookup of its word; listing the words loads none."""

    def __init__(self, package: str, base: type[T]) -> None:
        self._package = package
        self._base = base
        self._made: dict[str, T] = {}

    def __getitem__(self, word: str) -> T:
        if word not in self._made:
            if word not in self._words():
                raise KeyError(word)
            self._made[word] = self._load(word)
        return self._made[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._words())

    def __len__(self) -> int:
        return len(self._words())

    def _words(self) -> list[str]:
        return sorted(found.name for found in iter_modules(import_module(self._package).__path__))

    def _load(self, word: str) -> T:
        name = f"{self._package}.{word}"
        found = [
            one
            for one in vars(import_module(name)).values()
            if isinstance(one, type) and issubclass(one, self._base) and vars(one).get("word") == word
        ]
        if len(found) != 1:
            raise RuntimeError(f"{name} must declare one {self._base.__name__} with the word {word!r}, has {found}")
        return found[0]()


class Registry:
    """The package that declares things of one kind; it is set once, before the first lookup."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._package: str | None = None
        self._declared: dict[type, Declared[object]] = {}

    def read_from(self, package: str) -> None:
        """Take declarations from the files of a package."""
        self._package = package
        self._declared.clear()

    def declared(self, base: type[T]) -> Mapping[str, T]:
        """All declarations, as far as a base class knows them. Raises RuntimeError where no package was named."""
        if self._package is None:
            raise RuntimeError(f"no package declares {self._what}")
        if base not in self._declared:
            self._declared[base] = Declared(self._package, base)
        return self._declared[base]  # type: ignore[return-value]


RULE_KINDS = Registry("kinds of rules")
