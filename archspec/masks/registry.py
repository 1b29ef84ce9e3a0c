"""All atoms of masks by word: the files of `archspec.masks.atoms`, each imported when it is first used."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module

from archspec.masks import atoms as folder
from archspec.masks.atom import MaskAtom


class _Atoms(Mapping[str, type[MaskAtom]]):
    """The mapping from words to atoms; a word is looked up in the folder, and only then is its file imported."""

    def __getitem__(self, word: str) -> type[MaskAtom]:
        if word not in _words(tuple(folder.__path__)):
            raise KeyError(word)
        # By file name: adding an atom adds one file and touches no list.
        return _load(word)

    def __iter__(self) -> Iterator[str]:
        return iter(_words(tuple(folder.__path__)))

    def __len__(self) -> int:
        return len(_words(tuple(folder.__path__)))


@lru_cache(maxsize=4)
def _words(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(folders)))


def _load(word: str) -> type[MaskAtom]:
    """The atom that a file declares. Raises ImportError where it declares none with the file's name as its word."""
    module = import_module(f"archspec.masks.atoms.{word}")
    classes = [found for found in vars(module).values() if isinstance(found, type) and issubclass(found, MaskAtom)]
    found = next((found for found in classes if vars(found).get("word") == word), None)
    if found is None:
        raise ImportError(f"{module.__name__} declares no atom `{word}`")
    return found


_ATOMS = _Atoms()


def atoms() -> Mapping[str, type[MaskAtom]]:
    """The atoms of the language, in the order of their words; reading the words loads none of them."""
    return _ATOMS
